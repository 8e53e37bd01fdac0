//! Addresses of a packet rewritten on its way through the relay. Pure: bytes in, bytes out.

use std::net::Ipv4Addr;

const TCP: u8 = 6;
const UDP: u8 = 17;

/// The three /24 networks of the relay. The last byte of an address is kept, the others are exchanged.
#[derive(Clone, Copy, Debug)]
pub struct Addresses {
    /// What clients dial.
    pub near: [u8; 3],
    /// Where the hosts are.
    pub real: [u8; 3],
    /// What hosts see as the client. Not an address of this machine, so that the answers come back to the relay.
    pub back: [u8; 3],
}

impl Addresses {
    /// Rewrites the addresses of an IPv4 packet and mends its checksums. `None` if it is no packet for the relay.
    pub fn rewrite(&self, packet: &mut [u8]) -> Option<()> {
        let header = Header::parse(packet)?;
        let (source, destination) = (header.source.octets(), header.destination.octets());
        let (to_source, to_destination) = if network(destination) == self.near {
            (
                in_network(self.back, source),
                in_network(self.real, destination),
            )
        } else if network(destination) == self.back && network(source) == self.real {
            (
                in_network(self.near, source),
                in_network(self.near, destination),
            )
        } else {
            return None;
        };
        put(packet, 12, to_source)?;
        put(packet, 16, to_destination)?;
        let change = |sum| mend(mend(sum, source, to_source), destination, to_destination);
        put(packet, 10, change(word(packet, 10)?).to_be_bytes())?;
        // TCP and UDP sum the addresses too. Only the first fragment has their header.
        let transport = match header.protocol {
            _ if !header.first_fragment => None,
            TCP => Some(header.length + 16),
            UDP => Some(header.length + 6),
            _ => None,
        };
        if let Some(at) = transport {
            match word(packet, at)? {
                // No checksum, as UDP allows.
                0 if header.protocol == UDP => {}
                sum => put(packet, at, change(sum).to_be_bytes())?,
            }
        }
        Some(())
    }
}

struct Header {
    length: usize,
    protocol: u8,
    first_fragment: bool,
    source: Ipv4Addr,
    destination: Ipv4Addr,
}

impl Header {
    fn parse(packet: &[u8]) -> Option<Self> {
        let first = *packet.first()?;
        let length = usize::from(first & 0x0f) * 4;
        if first >> 4 != 4 || length < 20 || packet.len() < length {
            return None;
        }
        let address = |at: usize| {
            packet
                .get(at..)?
                .first_chunk::<4>()
                .map(|octets| Ipv4Addr::from(*octets))
        };
        Some(Self {
            length,
            protocol: *packet.get(9)?,
            first_fragment: word(packet, 6)? & 0x1fff == 0,
            source: address(12)?,
            destination: address(16)?,
        })
    }
}

fn network([a, b, c, _]: [u8; 4]) -> [u8; 3] {
    [a, b, c]
}

fn in_network([a, b, c]: [u8; 3], [.., host]: [u8; 4]) -> [u8; 4] {
    [a, b, c, host]
}

fn word(packet: &[u8], at: usize) -> Option<u16> {
    packet
        .get(at..)?
        .first_chunk()
        .map(|bytes| u16::from_be_bytes(*bytes))
}

fn put<const N: usize>(packet: &mut [u8], at: usize, bytes: [u8; N]) -> Option<()> {
    *packet.get_mut(at..)?.first_chunk_mut::<N>()? = bytes;
    Some(())
}

/// A checksum after four of the bytes that it sums have changed (RFC 1624, equation 3).
fn mend(sum: u16, before: [u8; 4], after: [u8; 4]) -> u16 {
    let words = |[a, b, c, d]: [u8; 4]| [u16::from_be_bytes([a, b]), u16::from_be_bytes([c, d])];
    let mut total = u32::from(!sum);
    total += words(before)
        .iter()
        .map(|word| u32::from(!word))
        .sum::<u32>();
    total += words(after)
        .iter()
        .map(|word| u32::from(*word))
        .sum::<u32>();
    while total >> 16 != 0 {
        total = (total & 0xffff) + (total >> 16);
    }
    !(total as u16)
}

#[cfg(test)]
mod tests {
    use super::*;

    const ADDRESSES: Addresses = Addresses {
        near: [10, 78, 0],
        real: [10, 77, 0],
        back: [10, 79, 0],
    };

    fn sum(bytes: &[u8]) -> u16 {
        let mut total: u32 = bytes
            .chunks(2)
            .map(|pair| u32::from(pair[0]) << 8 | u32::from(*pair.get(1).unwrap_or(&0)))
            .sum();
        while total >> 16 != 0 {
            total = (total & 0xffff) + (total >> 16);
        }
        !(total as u16)
    }

    /// An IPv4 packet with right checksums.
    fn packet(
        source: [u8; 4],
        destination: [u8; 4],
        protocol: u8,
        sum_at: usize,
        payload: &[u8],
    ) -> Vec<u8> {
        let mut packet = vec![0x45, 0, 0, 0, 0, 1, 0, 0, 64, protocol, 0, 0];
        packet.extend(source);
        packet.extend(destination);
        packet.extend(payload);
        let length = packet.len() as u16;
        packet[2..4].copy_from_slice(&length.to_be_bytes());
        let header_sum = sum(&packet[..20]).to_be_bytes();
        packet[10..12].copy_from_slice(&header_sum);
        packet[20 + sum_at..22 + sum_at].fill(0);
        let transport_sum = transport_sum(&packet).to_be_bytes();
        packet[20 + sum_at..22 + sum_at].copy_from_slice(&transport_sum);
        packet
    }

    fn transport_sum(packet: &[u8]) -> u16 {
        let mut pseudo = packet[12..20].to_vec();
        pseudo.extend([0, packet[9]]);
        pseudo.extend(((packet.len() - 20) as u16).to_be_bytes());
        pseudo.extend(&packet[20..]);
        sum(&pseudo)
    }

    #[test]
    fn a_packet_goes_to_the_real_host_and_its_answer_comes_from_the_near_one() {
        let mut there = packet([10, 78, 0, 254], [10, 78, 0, 11], TCP, 16, &[7; 33]);
        ADDRESSES.rewrite(&mut there).unwrap();
        assert_eq!(there[12..20], [10, 79, 0, 254, 10, 77, 0, 11]);
        let mut back = packet([10, 77, 0, 11], [10, 79, 0, 254], TCP, 16, &[7; 33]);
        ADDRESSES.rewrite(&mut back).unwrap();
        assert_eq!(back[12..20], [10, 78, 0, 11, 10, 78, 0, 254]);
        for packet in [there, back] {
            assert_eq!(
                (sum(&packet[..20]), transport_sum(&packet)),
                (0, 0),
                "checksums hold"
            );
        }
    }

    #[test]
    fn udp_is_mended_unless_it_has_no_checksum() {
        let mut summed = packet([10, 78, 0, 254], [10, 78, 0, 11], UDP, 6, &[9; 16]);
        ADDRESSES.rewrite(&mut summed).unwrap();
        assert_eq!(transport_sum(&summed), 0);
        let mut unsummed = packet([10, 78, 0, 254], [10, 78, 0, 11], UDP, 6, &[9; 16]);
        unsummed[26..28].copy_from_slice(&[0, 0]);
        ADDRESSES.rewrite(&mut unsummed).unwrap();
        assert_eq!(unsummed[26..28], [0, 0]);
    }

    #[test]
    fn a_later_fragment_has_no_transport_checksum_to_mend() {
        let mut fragment = packet([10, 78, 0, 254], [10, 78, 0, 11], TCP, 16, &[7; 33]);
        fragment[7] = 185;
        let payload = fragment[20..].to_vec();
        ADDRESSES.rewrite(&mut fragment).unwrap();
        assert_eq!(fragment[20..], payload);
    }

    #[test]
    fn what_is_not_for_the_relay_or_no_whole_packet_is_dropped() {
        let mut stray = packet([10, 1, 1, 1], [10, 2, 2, 2], TCP, 16, &[7; 33]);
        assert_eq!(ADDRESSES.rewrite(&mut stray), None);
        let whole = packet([10, 78, 0, 254], [10, 78, 0, 11], TCP, 16, &[7; 33]);
        for length in 0..20 {
            assert_eq!(ADDRESSES.rewrite(&mut whole[..length].to_vec()), None);
        }
        assert_eq!(ADDRESSES.rewrite(&mut [0x60; 40]), None, "IPv6");
    }
}
