//! The deploy lock over SSH.

use std::time::{Duration, Instant};

use dhow_config::{Config, Inputs, Outside};
use dhow_run::{Lease, LeaseRequest, Refused};
use dhow_text::source::Source;

use super::support::{Deployer, Hosts, name, soon};

struct Nowhere;

impl Outside for Nowhere {
    fn file_exists(&self, _: &str) -> bool {
        false
    }

    fn docker_architecture(&self) -> String {
        "amd64".to_owned()
    }
}

fn config() -> Config {
    let text = "service: app\nimage: me/app\nservers: [127.0.0.1]\nregistry: { username: me, password: [P] }\nbuilder: { arch: amd64 }\n";
    let inputs = Inputs {
        base: Source {
            name: "config/deploy.yml".into(),
            text: text.into(),
        },
        overlay: None,
        destination: None,
        outside: &Nowhere,
    };
    dhow_config::load(&inputs).expect("a deploy file").config
}

async fn acquire(deployer: &Deployer, details: &str) -> Result<Lease, Refused> {
    let session = deployer
        .fleet
        .session(&name(1))
        .await
        .expect("a connection");
    let config = config();
    let request = LeaseRequest {
        config: &config,
        details,
        owner: "me",
        host: "here",
        pid: 7,
    };
    soon(Lease::acquire(&session, &request)).await
}

/// parity: commands 82
#[tokio::test]
async fn a_lock_is_a_directory_that_kamal_understands_until_it_is_released() {
    let hosts = Hosts::start(1).await;
    let deployer = hosts.deployer();
    let lease = acquire(&deployer, "Locked by: me\nMessage: x")
        .await
        .expect("free");
    let directory = hosts.file(1, ".kamal/lock-app");
    let mut names: Vec<String> = std::fs::read_dir(&directory)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned())
        .filter(|name| !name.starts_with("owner-"))
        .collect();
    names.sort();
    assert_eq!(names, ["details", "lease"]);
    assert!(!*lease.lost().borrow());
    soon(lease.release()).await;
    assert!(!directory.exists());
    assert_eq!(hosts.exchanges(1), 1);
}

#[tokio::test]
async fn who_comes_second_is_told_who_holds_it_and_gets_it_afterwards() {
    let hosts = Hosts::start(1).await;
    let (first, second) = (hosts.deployer(), hosts.deployer());
    let lease = acquire(&first, "Locked by: the first").await.expect("free");
    match acquire(&second, "Locked by: the second").await {
        Err(Refused::Held(details)) => assert_eq!(details, "Locked by: the first"),
        other => panic!("{other:?}"),
    }
    soon(lease.release()).await;
    let lease = acquire(&second, "Locked by: the second")
        .await
        .expect("free again");
    soon(lease.release()).await;
    assert!(!hosts.file(1, ".kamal/lock-app").exists());
}

#[tokio::test]
async fn a_lock_by_hand_has_no_lease_and_is_not_waited_for() {
    let hosts = Hosts::start(1).await;
    let directory = hosts.file(1, ".kamal/lock-app");
    std::fs::create_dir_all(&directory).unwrap();
    // What Kamal writes: base64 of `by hand`.
    std::fs::write(directory.join("details"), "YnkgaGFuZA==\n").unwrap();
    let started = Instant::now();
    match acquire(&hosts.deployer(), "Locked by: me").await {
        Err(Refused::Held(details)) => assert_eq!(details, "by hand"),
        other => panic!("{other:?}"),
    }
    assert!(
        started.elapsed() < Duration::from_secs(5),
        "{:?}",
        started.elapsed()
    );
    assert!(directory.exists(), "and it is still there");
}

#[tokio::test]
async fn a_lock_that_somebody_removes_is_lost_and_its_holder_learns_so() {
    let hosts = Hosts::start(1).await;
    let deployer = hosts.deployer();
    let lease = acquire(&deployer, "Locked by: me").await.expect("free");
    let mut lost = lease.lost();
    std::fs::remove_dir_all(hosts.file(1, ".kamal/lock-app")).unwrap();
    soon(lost.wait_for(|lost| *lost))
        .await
        .expect("the keeper lives");
    soon(lease.release()).await;
}

#[tokio::test]
async fn a_connection_that_breaks_loses_the_lock_at_once() {
    let hosts = Hosts::start(1).await;
    let deployer = hosts.deployer();
    let lease = acquire(&deployer, "Locked by: me").await.expect("free");
    let mut lost = lease.lost();
    hosts.server(1).cut();
    let started = Instant::now();
    soon(lost.wait_for(|lost| *lost))
        .await
        .expect("the keeper lives");
    assert!(
        started.elapsed() < Duration::from_secs(5),
        "{:?}",
        started.elapsed()
    );
}

#[tokio::test]
async fn a_host_that_can_t_write_says_why() {
    let hosts = Hosts::start(1).await;
    std::fs::write(hosts.file(1, ".kamal"), "not a directory").unwrap();
    match acquire(&hosts.deployer(), "Locked by: me").await {
        Err(Refused::Failed(failure)) => {
            assert_eq!(failure.message, "the deploy lock can't be taken");
            assert!(failure.output.contains(".kamal"), "{failure:?}");
        }
        other => panic!("{other:?}"),
    }
}
