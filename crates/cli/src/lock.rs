//! The deploy lock around a command: taken together with the first look at the hosts, given back whatever happens.

use std::future::Future;
use std::time::Duration;

use dhow_commands::lock;
use dhow_plan::Facts;
use dhow_run::{Failed, Failure, Lease, LeaseRequest, Level, Refused};

use crate::failed;
use crate::job::Job;

/// The lock, or the reason why there is none to take.
pub(crate) enum Held {
    /// Ours, until [`Job::unlock`].
    Ours(Lease),
    /// Another process of ours holds it (`KAMAL_LOCK=true`, set for hooks).
    Above,
}

/// Why there is no lock.
enum NoLock {
    /// Its host can't be connected to; not yet told to the reporters.
    Unreached(Failure),
    /// Anything else, told.
    Failed(Failed),
}

impl From<Failed> for NoLock {
    fn from(failed: Failed) -> Self {
        Self::Failed(failed)
    }
}

impl Job<'_> {
    /// Takes the lock and looks at hosts at the same time: looking changes nothing, and costs no time of its own this way.
    pub(crate) async fn lock_and_look(
        &self,
        version: &str,
        look: impl Future<Output = Result<Facts, Failed>>,
    ) -> Result<(Held, Facts), Failed> {
        self.say("Acquiring the deploy lock...");
        let (held, facts) = futures_util::future::join(self.take_lock(version), look).await;
        let primary = self.targets.primary_host;
        let told = |failed: &Failed| {
            let mut hosts = failed.hosts.iter();
            hosts.any(|(host, _)| host.as_deref() == Some(primary))
        };
        match (held, facts) {
            // Both use one connection, so it is one failure, and the look has told it.
            (Err(NoLock::Unreached(_)), Err(failed)) if told(&failed) => Err(failed),
            (Ok(held), Ok(facts)) => Ok((held, facts)),
            (Ok(held), Err(failed)) => {
                self.unlock(held).await;
                Err(failed)
            }
            (Err(no_lock), _) => Err(self.told(no_lock)),
        }
    }

    /// Takes the lock; waits for it if the command line says so.
    pub(crate) async fn lock(&self, version: &str) -> Result<Held, Failed> {
        let held = self.take_lock(version).await;
        held.map_err(|no_lock| self.told(no_lock))
    }

    fn told(&self, no_lock: NoLock) -> Failed {
        match no_lock {
            NoLock::Unreached(failure) => self.on_host(self.targets.primary_host, failure),
            NoLock::Failed(failed) => failed,
        }
    }

    async fn take_lock(&self, version: &str) -> Result<Held, NoLock> {
        if self.edge.env("KAMAL_LOCK") == Some("true") {
            return Ok(Held::Above);
        }
        let host = self.targets.primary_host;
        let session = self.fleet.session(host).await.map_err(NoLock::Unreached)?;
        let details = lock::details(
            self.git.user_name(),
            self.recorded_at(),
            version,
            lock::AUTOMATIC,
        );
        let machine = self.edge.host_name();
        let request = LeaseRequest {
            config: self.config(),
            details: &details,
            owner: self.git.user_name(),
            host: &machine,
            pid: std::process::id(),
        };
        let mut left = self
            .global
            .lock_wait
            .then_some(self.global.lock_wait_timeout);
        let mut first = true;
        loop {
            match Lease::acquire(&session, &request).await {
                Ok(lease) => return Ok(Held::Ours(lease)),
                Err(Refused::Failed(failure)) => return Err(self.on_host(host, failure).into()),
                Err(Refused::Held(details)) => {
                    self.wait_for_lock(&details, &mut left, &mut first).await?;
                }
            }
        }
    }

    /// Gives the lock back.
    pub(crate) async fn unlock(&self, held: Held) {
        if let Held::Ours(lease) = held {
            self.say("Releasing the deploy lock...");
            lease.release().await;
        }
    }

    /// Runs `work` under the lock; ends it early if the lock is taken away.
    pub(crate) async fn guarded<T>(
        &self,
        held: &Held,
        work: impl Future<Output = Result<T, Failed>>,
    ) -> Result<T, Failed> {
        let Held::Ours(lease) = held else {
            return work.await;
        };
        let mut lost = lease.lost();
        tokio::select! {
            result = work => result,
            Ok(_) = lost.wait_for(|lost| *lost) => Err(failed::here(
                Failure::new("Kamal::Cli::LockError", "the deploy lock was lost")
                    .hinted("somebody released it by hand, or the connection to its host broke; look with `dhow lock status`, then run the same command again"),
            )),
        }
    }

    /// A short command under the lock, without a look beforehand.
    pub(crate) async fn locked<T>(
        &self,
        version: &str,
        work: impl Future<Output = Result<T, Failed>>,
    ) -> Result<T, Failed> {
        self.say("Acquiring the deploy lock...");
        let held = self.lock(version).await?;
        let result = self.guarded(&held, work).await;
        self.unlock(held).await;
        result
    }

    /// Stages under the lock, or with `--dry-run` shown.
    pub(crate) async fn locked_or_shown(
        &self,
        version: &str,
        stages: Vec<dhow_plan::Stage>,
    ) -> Result<(), Failed> {
        if self.global.dry_run {
            return self.execute_or_show(stages).await;
        }
        self.locked(version, self.execute(stages)).await.map(|_| ())
    }

    /// A failure on a host, told to the reporters.
    pub(crate) fn on_host(&self, host: &str, failure: Failure) -> Failed {
        self.sink.emit(dhow_run::EventKind::HostFailed {
            host: host.to_owned(),
            failure: failure.clone(),
        });
        Failed {
            hosts: vec![(Some(host.to_owned()), failure)],
        }
    }

    async fn wait_for_lock(
        &self,
        details: &str,
        left: &mut Option<f64>,
        first: &mut bool,
    ) -> Result<(), Failed> {
        let refused = |text: &str| Err(failed::error("Kamal::Cli::LockError", text));
        let Some(left) = left else {
            self.sink.say(Level::Error, "Deploy lock already in place!");
            self.say(details);
            return refused("Deploy lock found. Run 'kamal lock help' for more information");
        };
        if *first {
            *first = false;
            self.say("Deploy lock is held by:");
            self.say(details);
            if !details.contains(lock::AUTOMATIC) {
                return refused(
                    "Deploy lock held manually, not waiting. Run 'kamal lock help' for more information",
                );
            }
        }
        if *left <= 0.0 {
            let timeout = self.global.lock_wait_timeout;
            self.sink.say(
                Level::Error,
                format!("Timed out after {timeout}s waiting for the deploy lock"),
            );
            return refused("Timed out waiting for deploy lock");
        }
        let pause = self.global.lock_wait_interval.min(*left).max(0.1);
        self.say(format!("Retrying in {pause}s ({left}s remaining)..."));
        tokio::time::sleep(Duration::from_secs_f64(pause)).await;
        *left -= pause;
        Ok(())
    }
}
