//! What `dhow init` puts into a project.
//!
//! Out: texts and where they go. The edge writes them, makes hooks executable, and leaves alone what is already there.

/// `config/deploy.yml`
pub const DEPLOY_FILE: &str = include_str!("templates/deploy.yml");

/// `.kamal/secrets`
pub const SECRETS: &str = include_str!("templates/secrets");

/// The hooks, in the order in which a first deploy comes to them: file name below `.kamal/hooks` and text. A hook takes effect
/// once `.sample` is taken off its name.
pub const SAMPLE_HOOKS: [(&str, &str); 9] = [
    (
        "docker-setup.sample",
        include_str!("templates/hooks/docker-setup.sample"),
    ),
    (
        "pre-connect.sample",
        include_str!("templates/hooks/pre-connect.sample"),
    ),
    (
        "pre-build.sample",
        include_str!("templates/hooks/pre-build.sample"),
    ),
    (
        "pre-deploy.sample",
        include_str!("templates/hooks/pre-deploy.sample"),
    ),
    (
        "post-deploy.sample",
        include_str!("templates/hooks/post-deploy.sample"),
    ),
    (
        "pre-app-boot.sample",
        include_str!("templates/hooks/pre-app-boot.sample"),
    ),
    (
        "post-app-boot.sample",
        include_str!("templates/hooks/post-app-boot.sample"),
    ),
    (
        "pre-proxy-reboot.sample",
        include_str!("templates/hooks/pre-proxy-reboot.sample"),
    ),
    (
        "post-proxy-reboot.sample",
        include_str!("templates/hooks/post-proxy-reboot.sample"),
    ),
];
