//! Whether a file is a program that runs alone in an empty image: an ELF executable, for this machine, that needs no loader.
//!
//! In: the bytes of a file. Out: a [`Machine`] or the reason against it. Offsets are those of the ELF-64 specification.

use std::fmt;

/// The first bytes of every ELF file.
const MAGIC: &[u8] = b"\x7fELF";
/// `e_ident[EI_CLASS]`: 64-bit.
const CLASS_64: u8 = 2;
/// `e_ident[EI_DATA]`: little-endian.
const LITTLE_ENDIAN: u8 = 1;
/// `e_type`: an executable, or a position-independent one.
const EXECUTABLE: [u16; 2] = [2, 3];
/// `p_type` of the segment that names the dynamic loader.
const PT_INTERP: u32 = 3;

/// A kind of processor that dhow is built for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Machine {
    /// `x86_64`, docker's `amd64`.
    Amd64,
    /// `aarch64`, docker's `arm64`.
    Arm64,
}

/// Why no image can be made.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ImageError {
    /// Not a program for Linux.
    #[error("the proxy's binary is not a Linux program ({0})")]
    NotElf(&'static str),
    /// It would not find its loader in the image.
    #[error(
        "the proxy's binary is dynamically linked (it asks for `{loader}`), and the image has nothing but the binary"
    )]
    Dynamic {
        /// The loader it names.
        loader: String,
    },
    /// It is for other processors.
    #[error("the proxy's binary is for `{binary}`, and the host is `{machine}`")]
    OtherMachine {
        /// What it is for.
        binary: String,
        /// What the host is.
        machine: Machine,
    },
    /// A host that dhow is not built for.
    #[error("dhow's proxy does not run on `{0}`")]
    UnknownMachine(String),
    /// The archive could not be put together.
    #[error("the proxy's image can't be put together: {0}")]
    Archive(String),
}

impl Machine {
    /// From what `uname -m` prints (or docker's own name).
    pub fn named(name: &str) -> Result<Self, ImageError> {
        match name.trim() {
            "x86_64" | "amd64" => Ok(Self::Amd64),
            "aarch64" | "arm64" => Ok(Self::Arm64),
            other => Err(ImageError::UnknownMachine(other.to_owned())),
        }
    }

    /// Docker's name.
    pub fn docker_name(self) -> &'static str {
        match self {
            Self::Amd64 => "amd64",
            Self::Arm64 => "arm64",
        }
    }

    /// The machine a static program is for.
    pub fn of_static_program(binary: &[u8]) -> Result<Self, ImageError> {
        let elf = Elf::read(binary)?;
        if let Some(loader) = elf.loader()? {
            return Err(ImageError::Dynamic { loader });
        }
        elf.machine()
    }

    /// Fails unless `binary` is a static program for this machine.
    pub(crate) fn check(self, binary: &[u8]) -> Result<(), ImageError> {
        let elf = Elf::read(binary)?;
        match elf.machine() {
            Ok(found) if found == self => {}
            Ok(found) => {
                return Err(ImageError::OtherMachine {
                    binary: found.to_string(),
                    machine: self,
                });
            }
            Err(ImageError::UnknownMachine(binary)) => {
                return Err(ImageError::OtherMachine {
                    binary,
                    machine: self,
                });
            }
            Err(error) => return Err(error),
        }
        match elf.loader()? {
            Some(loader) => Err(ImageError::Dynamic { loader }),
            None => Ok(()),
        }
    }
}

/// As `uname -m` prints it.
impl fmt::Display for Machine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Amd64 => "x86_64",
            Self::Arm64 => "aarch64",
        })
    }
}

impl ImageError {
    /// What to do about it.
    pub fn hint(&self) -> Option<String> {
        let text = match self {
            Self::NotElf(_) | Self::Dynamic { .. } => {
                "build a static one with bin/build, take the one from a release, or name it with `--proxy-binary FILE`"
                    .to_owned()
            }
            Self::OtherMachine { machine, .. } => format!(
                "put dhow's binary for {machine} beside this one, or name it with `--proxy-binary FILE`"
            ),
            Self::UnknownMachine(_) => {
                "choose an image that runs there: `proxy.run.repository` and `proxy.run.version`".to_owned()
            }
            Self::Archive(_) => return None,
        };
        Some(text)
    }
}

/// An ELF-64 file of little-endian machines, its header checked.
struct Elf<'b> {
    bytes: &'b [u8],
}

impl<'b> Elf<'b> {
    fn read(bytes: &'b [u8]) -> Result<Self, ImageError> {
        let elf = Self { bytes };
        if !bytes.starts_with(MAGIC) {
            return Err(ImageError::NotElf("it does not begin as an ELF file does"));
        }
        if bytes.get(4) != Some(&CLASS_64) {
            return Err(ImageError::NotElf("it is not a 64-bit program"));
        }
        if bytes.get(5) != Some(&LITTLE_ENDIAN) {
            return Err(ImageError::NotElf("it is for a big-endian machine"));
        }
        if !EXECUTABLE.contains(&elf.u16(16)?) {
            return Err(ImageError::NotElf("it is no executable"));
        }
        Ok(elf)
    }

    fn machine(&self) -> Result<Machine, ImageError> {
        match self.u16(18)? {
            62 => Ok(Machine::Amd64),
            183 => Ok(Machine::Arm64),
            other => Err(ImageError::UnknownMachine(format!("ELF machine {other}"))),
        }
    }

    /// The loader that the program asks for; a static one asks for none.
    fn loader(&self) -> Result<Option<String>, ImageError> {
        let table = self.offset(32)?;
        let size = usize::from(self.u16(54)?);
        let count = usize::from(self.u16(56)?);
        for index in 0..count {
            let at = index
                .checked_mul(size)
                .and_then(|skip| table.checked_add(skip))
                .ok_or(TRUNCATED)?;
            if self.u32(at)? != PT_INTERP {
                continue;
            }
            let start = self.offset(at.saturating_add(8))?;
            let length = self.offset(at.saturating_add(32))?;
            let end = start.checked_add(length).ok_or(TRUNCATED)?;
            let name = self.bytes.get(start..end).ok_or(TRUNCATED)?;
            let name = String::from_utf8_lossy(name);
            return Ok(Some(name.trim_end_matches('\0').to_owned()));
        }
        Ok(None)
    }

    fn u16(&self, at: usize) -> Result<u16, ImageError> {
        self.array(at).map(u16::from_le_bytes)
    }

    fn u32(&self, at: usize) -> Result<u32, ImageError> {
        self.array(at).map(u32::from_le_bytes)
    }

    fn offset(&self, at: usize) -> Result<usize, ImageError> {
        let value = self.array(at).map(u64::from_le_bytes)?;
        usize::try_from(value).map_err(|_| TRUNCATED)
    }

    fn array<const N: usize>(&self, at: usize) -> Result<[u8; N], ImageError> {
        let end = at.checked_add(N).ok_or(TRUNCATED)?;
        let bytes = self.bytes.get(at..end).ok_or(TRUNCATED)?;
        bytes.try_into().map_err(|_| TRUNCATED)
    }
}

const TRUNCATED: ImageError = ImageError::NotElf("its header points outside of it");

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hand_made::{AARCH64, X86_64, dynamic, program};

    #[test]
    fn a_static_program_for_the_host_is_taken() {
        assert_eq!(Machine::Amd64.check(&program(X86_64)), Ok(()));
        assert_eq!(Machine::Arm64.check(&program(AARCH64)), Ok(()));
        assert_eq!(
            Machine::of_static_program(&program(AARCH64)),
            Ok(Machine::Arm64)
        );
    }

    #[test]
    fn a_dynamic_program_is_refused_and_the_way_out_told() {
        let error = Machine::Amd64.check(&dynamic(X86_64)).unwrap_err();
        assert_eq!(
            error.to_string(),
            "the proxy's binary is dynamically linked (it asks for `/lib64/ld-linux-x86-64.so.2`), and the image has nothing but the binary"
        );
        assert!(error.hint().unwrap().contains("bin/build"));
        assert_eq!(Machine::of_static_program(&dynamic(X86_64)), Err(error));
    }

    #[test]
    fn a_program_for_another_machine_is_refused() {
        let error = Machine::Arm64.check(&program(X86_64)).unwrap_err();
        assert_eq!(
            error.to_string(),
            "the proxy's binary is for `x86_64`, and the host is `aarch64`"
        );
        let hint = error.hint().unwrap();
        assert!(
            hint.contains("aarch64") && hint.contains("--proxy-binary"),
            "{hint}"
        );
        let error = Machine::Amd64.check(&program(243)).unwrap_err();
        assert_eq!(
            error.to_string(),
            "the proxy's binary is for `ELF machine 243`, and the host is `x86_64`"
        );
    }

    #[test]
    fn machines_have_the_names_of_uname_and_docker() {
        for name in ["x86_64", "amd64", "x86_64\n"] {
            assert_eq!(Machine::named(name).unwrap().docker_name(), "amd64");
        }
        for name in ["aarch64", "arm64"] {
            assert_eq!(Machine::named(name).unwrap().docker_name(), "arm64");
        }
        let error = Machine::named("riscv64").unwrap_err();
        assert_eq!(error.to_string(), "dhow's proxy does not run on `riscv64`");
        assert!(error.hint().unwrap().contains("proxy.run.repository"));
    }

    #[test]
    fn other_files_are_refused() {
        let mut thirty_two = program(X86_64);
        thirty_two[4] = 1;
        let mut big = program(X86_64);
        big[5] = 2;
        let mut object = program(X86_64);
        object[16] = 1;
        let shown = |bytes: &[u8]| Machine::Amd64.check(bytes).unwrap_err().to_string();
        for (bytes, reason) in [
            (b"#!/bin/sh\n".to_vec(), "does not begin as an ELF file"),
            // A Mac's binary.
            (
                vec![0xcf, 0xfa, 0xed, 0xfe],
                "does not begin as an ELF file",
            ),
            (Vec::new(), "does not begin as an ELF file"),
            (thirty_two, "64-bit"),
            (big, "big-endian"),
            (object, "no executable"),
        ] {
            let text = shown(&bytes);
            assert!(text.contains(reason), "{text}");
        }
    }

    /// Whatever is cut off or overwritten, it is an answer and no panic.
    #[test]
    fn damaged_headers_are_refused_or_read_but_never_panic() {
        let whole = dynamic(X86_64);
        for length in 0..whole.len() {
            let cut = Machine::Amd64.check(&whole[..length]);
            assert!(cut.is_err(), "{length}");
        }
        for at in 0..whole.len() {
            for value in [0, 1, 0x7f, 0xff] {
                let mut damaged = whole.clone();
                damaged[at] = value;
                let _ = Machine::of_static_program(&damaged);
            }
        }
    }
}
