//! The ssh-agent: which identities it holds, and signing with them.

use std::path::Path;
use std::time::Duration;

use russh::keys::agent::client::AgentClient;
use russh::keys::agent::{AgentIdentity, AgentSessionBinding};
use tokio::net::UnixStream;

/// How long an agent may take to list its identities; one that hangs must not hang every host.
const PATIENCE: Duration = Duration::from_secs(5);

/// An open agent connection with what it holds.
pub(crate) struct Agent {
    pub(crate) client: AgentClient<UnixStream>,
    pub(crate) identities: Vec<AgentIdentity>,
}

/// Connects to the agent and lists its identities; `Err` is the reason as a fragment.
pub(crate) async fn open(
    socket: &Path,
    binding: Option<&AgentSessionBinding>,
) -> Result<Agent, String> {
    let listing = async {
        let mut client = AgentClient::connect_uds(socket)
            .await
            .map_err(|error| error.to_string())?;
        if let Some(binding) = binding {
            // Keys limited to certain destinations need it; agents that don't know it answer with a refusal, which is fine.
            let _ = client.bind_session(binding, false).await;
        }
        let identities = client
            .request_identities()
            .await
            .map_err(|error| error.to_string())?;
        Ok(Agent { client, identities })
    };
    tokio::time::timeout(PATIENCE, listing)
        .await
        .unwrap_or_else(|_| Err(format!("no answer in {} s", PATIENCE.as_secs())))
}
