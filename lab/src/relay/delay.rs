//! The line: packets leave the device as they came, in order, some time later.

use std::time::Duration;

use tokio::sync::mpsc;
use tokio::time::{Instant, sleep_until};
use tokio_tun::Tun;

use super::rewrite::Addresses;

const LARGEST_PACKET: usize = 65_536;

/// Relays packets of `device` for ever, `delay` each way. Ends only if the device fails.
pub async fn relay(device: &Tun, addresses: Addresses, delay: Duration) -> std::io::Result<()> {
    let (line, mut arriving) = mpsc::unbounded_channel::<(Instant, Vec<u8>)>();
    let take = async {
        let mut buffer = vec![0; LARGEST_PACKET];
        loop {
            let length = device.recv(&mut buffer).await?;
            let mut packet = buffer.get(..length).unwrap_or_default().to_vec();
            if addresses.rewrite(&mut packet).is_some() {
                // The receiver lives as long as this future does.
                let _ = line.send((Instant::now() + delay, packet));
            }
        }
    };
    let give = async {
        // Every packet waits equally long, so the order of arrival is the order of departure.
        while let Some((due, packet)) = arriving.recv().await {
            sleep_until(due).await;
            // A packet that the kernel will not take is lost, as on any line.
            let _ = device.send(&packet).await;
        }
    };
    tokio::select! {
        failed = take => failed,
        () = give => Ok(()),
    }
}
