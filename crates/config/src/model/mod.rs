//! One file a section of the deploy file.

mod accessory;
mod boot;
mod builder;
mod deploy_file;
mod env;
mod extension;
mod logging;
mod output;
mod proxy;
mod registry;
mod role;
mod ssh;

pub use accessory::{Accessory, Mount, UploadedFile};
pub use boot::{Boot, BootLimit};
pub use builder::{Builder, BuilderKind, Cache, Pack};
pub use deploy_file::{Config, HookLevel, HooksOutput};
pub use env::{Env, SecretRef};
pub use extension::{Extension, ProxyExtension, ProxyProtocol};
pub use logging::Logging;
pub use output::Output;
pub use proxy::{Buffering, Healthcheck, Proxy, ProxyLogging, ProxyRun, Ssl};
pub use registry::{Credential, Registry};
pub use role::{Host, Role};
pub use ssh::{Ssh, SshConfigFiles, Sshkit};

/// Keys and values in the file's order, as docker options, labels and log options hold them.
pub type Pairs = Vec<(String, dhow_text::shell::ShellValue)>;
