//! The state file. In: one.

use dhow_proxy_api::{StateEntry, read_state, write_state};

/// A state file: what was read is what is read after it was written.
pub fn state(data: &[u8]) {
    let Ok(entries) = read_state(data) else {
        return;
    };
    assert!(entries.len() <= data.len());
    let services: Vec<_> = entries
        .into_iter()
        .filter_map(|entry| match entry {
            StateEntry::Service(service) => Some(*service),
            StateEntry::Damaged { .. } => None,
        })
        .collect();
    let Ok(written) = write_state(&services) else {
        return;
    };
    let Ok(again) = read_state(&written) else {
        panic!(
            "what was written cannot be read: {:?}",
            String::from_utf8_lossy(&written)
        );
    };
    let again: Vec<_> = again
        .into_iter()
        .filter_map(|entry| match entry {
            StateEntry::Service(service) => Some(*service),
            StateEntry::Damaged { .. } => None,
        })
        .collect();
    assert_eq!(services.len(), again.len());
    assert_eq!(write_state(&again).ok(), Some(written));
}
