//! The smallest ELF files that tell something, for this crate's tests.

/// `e_machine` of x86-64.
pub(crate) const X86_64: u16 = 62;
/// `e_machine` of AArch64.
pub(crate) const AARCH64: u16 = 183;

const HEADER: usize = 64;
const SEGMENT: usize = 56;
const LOADER: &[u8] = b"/lib64/ld-linux-x86-64.so.2\0";

/// A static program: one loadable segment.
pub(crate) fn program(machine: u16) -> Vec<u8> {
    let mut elf = header(machine, 1);
    elf.extend(segment(1, 0, 0));
    elf
}

/// A dynamic program: it names its loader.
pub(crate) fn dynamic(machine: u16) -> Vec<u8> {
    let mut elf = header(machine, 2);
    elf.extend(segment(1, 0, 0));
    let behind = (HEADER + 2 * SEGMENT) as u64;
    elf.extend(segment(3, behind, LOADER.len() as u64));
    elf.extend(LOADER);
    elf
}

fn header(machine: u16, segments: u16) -> Vec<u8> {
    let mut header = vec![0; HEADER];
    header[..8].copy_from_slice(b"\x7fELF\x02\x01\x01\x00");
    header[16..18].copy_from_slice(&2u16.to_le_bytes());
    header[18..20].copy_from_slice(&machine.to_le_bytes());
    header[32..40].copy_from_slice(&(HEADER as u64).to_le_bytes());
    header[54..56].copy_from_slice(&(SEGMENT as u16).to_le_bytes());
    header[56..58].copy_from_slice(&segments.to_le_bytes());
    header
}

fn segment(kind: u32, offset: u64, length: u64) -> Vec<u8> {
    let mut segment = vec![0; SEGMENT];
    segment[..4].copy_from_slice(&kind.to_le_bytes());
    segment[8..16].copy_from_slice(&offset.to_le_bytes());
    segment[32..40].copy_from_slice(&length.to_le_bytes());
    segment
}
