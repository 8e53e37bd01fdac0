//! Carries out what the schedule wants: the only part that waits.

use std::sync::Arc;
use std::time::Duration;

use super::Shared;
use super::coverage::{Ask, Event};
use super::state::Authority;
use crate::certificate::Certificate;
use crate::host_name::HostName;
use crate::memory::OrderFailure;
use crate::schedule::{Action, AuthorityId, Demand};

/// The longest sleep: a machine that was suspended, or whose clock was set, is noticed within this.
const LONGEST_SLEEP: Duration = Duration::from_secs(60);

/// Runs until the manager is dropped.
pub(super) async fn drive(shared: Arc<Shared>) {
    loop {
        let now = shared.moment();
        let (actions, next) = {
            let mut state = shared.lock();
            (state.schedule.poll(now), state.schedule.next_poll(now))
        };
        // Before the orders go out: what they spend of the limit counts even if the process dies meanwhile.
        keep_memories(&shared).await;
        for action in actions {
            tokio::spawn(carry_out(Arc::clone(&shared), action));
        }
        let sleep = next.map_or(LONGEST_SLEEP, |at| at.since(now).min(LONGEST_SLEEP));
        tokio::select! {
            () = shared.wake.notified() => {}
            () = tokio::time::sleep(sleep) => {}
        }
    }
}

/// Lets a name in that a client sent: from the cache, else if the application wants it.
pub(super) async fn admit(shared: Arc<Shared>, host: HostName, authority: AuthorityId, ask: Ask) {
    let store = shared.lock().store(authority).cloned();
    let name = host.clone();
    // A name that ever had a certificate was asked about then.
    let known =
        tokio::task::spawn_blocking(move || store.is_some_and(|store| store.contains(&name)))
            .await
            .unwrap_or(false);
    // In a task of its own, so that a question that panics counts as unanswered.
    let answer = if known {
        Ok(())
    } else {
        tokio::spawn(ask(host.clone()))
            .await
            .unwrap_or_else(|error| Err(crate::ask_url::Denial::NoAnswer(error.to_string())))
    };
    let now = shared.moment();
    let mut state = shared.lock();
    state.gate.answered(&host, answer.is_ok(), now);
    // The service may have gone, or the host been declared, while the application was asked.
    let still = state.on_demand().is_some_and(|(id, _)| id == authority);
    if answer.is_ok() && still && !state.is_declared(&host) {
        state.demanded.insert(host.clone());
        shared.cover(&mut state, &host, authority, Demand::OnDemand, now);
    }
    drop(state);
    if let Err(denial) = answer {
        (shared.report)(Event::OnDemandDenied { host, denial });
    }
    shared.changed();
}

async fn carry_out(shared: Arc<Shared>, action: Action) {
    match action {
        Action::Order {
            host,
            authority,
            method,
            replaces,
        } => order(&shared, host, authority, method, replaces).await,
        Action::AskRenewal { host, authority } => ask_renewal(&shared, host, authority).await,
    }
    shared.changed();
}

async fn order(shared: &Arc<Shared>, host: HostName, id: AuthorityId, method: u32, replaces: bool) {
    let (authority, held) = at_hand(shared, &host, id);
    let Some(Authority { store, issuer }) = authority else {
        return;
    };
    let name = host.clone();
    // In a task of its own: whatever happens in there, the schedule is told that the order has ended.
    let outcome = tokio::spawn(async move {
        issuer
            .order(&name, method, held.as_ref().filter(|_| replaces))
            .await
    })
    .await
    .unwrap_or_else(|error| {
        Err(OrderFailure::Refused {
            reason: error.to_string(),
        })
    });
    if let Ok(certificate) = &outcome {
        let (name, certificate) = (host.clone(), certificate.clone());
        let kept = tokio::task::spawn_blocking(move || store.save(&name, &certificate)).await;
        report_unkept(shared, format!("the certificate for {host}"), kept);
    }
    let event = finish(shared, &host, id, outcome);
    keep_memories(shared).await;
    (shared.report)(event);
}

/// Serves what was issued and plans what comes next.
fn finish(
    shared: &Shared,
    host: &HostName,
    id: AuthorityId,
    outcome: Result<Certificate, OrderFailure>,
) -> Event {
    let now = shared.moment();
    let mut state = shared.lock();
    match outcome {
        Ok(certificate) => {
            let validity = certificate.validity();
            state.schedule.ordered(host, id, Ok(validity), now);
            // Not if the host has gone, or gone to another authority, meanwhile: it is in the cache for when it comes back.
            if state.schedule.authority_of(host) == Some(id) {
                shared.resolver.serve(host, &certificate);
                state.held.insert(host.clone(), (id, certificate));
            }
            Event::Issued {
                host: host.clone(),
                not_after: validity.not_after,
            }
        }
        Err(failure) => {
            state.schedule.ordered(host, id, Err(&failure), now);
            let next = state.schedule.next_order(host, now);
            Event::Failed {
                host: host.clone(),
                reason: failure.to_string(),
                next_in: next.map_or(Duration::ZERO, |at| at.since(now)),
            }
        }
    }
}

async fn ask_renewal(shared: &Arc<Shared>, host: HostName, id: AuthorityId) {
    let (authority, held) = at_hand(shared, &host, id);
    let answer = match (authority, held) {
        (Some(Authority { issuer, .. }), Some(certificate)) => {
            let asked = tokio::spawn(async move { issuer.renewal_info(&certificate).await });
            asked.await.unwrap_or(None)
        }
        _ => None,
    };
    let now = shared.moment();
    let answer = answer.as_ref().map(|answer| answer.as_ref().copied());
    shared.lock().schedule.advised(&host, id, answer, now);
}

fn at_hand(
    shared: &Shared,
    host: &HostName,
    id: AuthorityId,
) -> (Option<Authority>, Option<Certificate>) {
    let state = shared.lock();
    let held = state
        .held
        .get(host)
        .filter(|(owner, _)| *owner == id)
        .map(|(_, certificate)| certificate.clone());
    (state.authority(id).cloned(), held)
}

/// Writes down what failed and what was spent.
async fn keep_memories(shared: &Arc<Shared>) {
    let _one = shared.writing.lock().await;
    let unsaved: Vec<_> = {
        let mut state = shared.lock();
        let unsaved = state.schedule.take_unsaved();
        unsaved
            .into_iter()
            .filter_map(|(id, text)| Some((state.store(id)?.clone(), text)))
            .collect()
    };
    if unsaved.is_empty() {
        return;
    }
    let written = tokio::task::spawn_blocking(move || {
        unsaved
            .iter()
            .try_for_each(|(store, text)| store.save_memory(text))
    })
    .await;
    report_unkept(shared, "the memory of failed orders".to_owned(), written);
}

fn report_unkept(
    shared: &Shared,
    what: String,
    written: Result<std::io::Result<()>, tokio::task::JoinError>,
) {
    let outcome = written.unwrap_or_else(|error| Err(std::io::Error::other(error)));
    if let Err(error) = outcome {
        (shared.report)(Event::NotKept { what, error });
    }
}
