//! The question that a service for any host is asked before a certificate is ordered: may this name have one?
//!
//! In: the service's URL. Out: the question for the manager: a path goes to the service itself, anything else to the server it
//! names.

use std::sync::{Arc, Weak};

use dhow_certs::{
    ASK_TIMEOUT, Ask, AskTarget, Denial, Fetcher, HostName, MAX_ANSWER, ask, ask_target,
    read_answer,
};

use crate::cores::plane::Plane;
use crate::downstream::inquiry::inquire;
use crate::services::service::Service;

/// The question of `service`, if it has one.
pub(crate) fn question(service: &Service, plane: &Arc<Plane>, fetcher: &Fetcher) -> Option<Ask> {
    let url: Arc<str> = Arc::from(service.options.tls_on_demand_url.as_str());
    if url.is_empty() {
        return None;
    }
    let name = Arc::clone(&service.name);
    // The plane leads to the manager, which keeps this.
    let plane = Arc::downgrade(plane);
    let fetcher = fetcher.clone();
    Some(Arc::new(move |host| {
        let (url, name) = (Arc::clone(&url), Arc::clone(&name));
        let (plane, fetcher) = (plane.clone(), fetcher.clone());
        Box::pin(async move {
            match ask_target(&url, &host) {
                Ok(AskTarget::Own(path)) => ask_service(&plane, name, &host, &path).await,
                Ok(AskTarget::Other(target)) => ask(&fetcher, target).await,
                Err(error) => Err(Denial::NoAnswer(error.to_string())),
            }
        })
    }))
}

async fn ask_service(
    plane: &Weak<Plane>,
    service: Arc<str>,
    host: &HostName,
    path: &str,
) -> Result<(), Denial> {
    // Not held while waiting: the plane ends with the server.
    let inquiries = plane
        .upgrade()
        .and_then(|plane| plane.inquiries.get().cloned());
    let Some(inquiries) = inquiries else {
        return Err(Denial::NoAnswer("the proxy is not serving".to_owned()));
    };
    let answer = inquire(
        &inquiries,
        service,
        host.as_str(),
        path,
        MAX_ANSWER,
        ASK_TIMEOUT,
    );
    match answer.await {
        Ok((status, body)) => read_answer(status, &body),
        Err(error) => Err(Denial::NoAnswer(error.to_string())),
    }
}
