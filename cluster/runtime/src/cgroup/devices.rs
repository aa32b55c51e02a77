//! Which devices the processes of a group may open, in version 2.
//!
//! Version 2 has no file for that: the kernel asks a small program attached to the group, each time a
//! device is made or opened. This writes the program, a comparison for each rule, and attaches it.
//! (In version 1 libcontainer writes the rules into the `devices` hierarchy.)

#![allow(unsafe_code, reason = "nothing wraps the system call; each block says why it is sound")]

use std::fs::File;
use std::io;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};

use super::Cgroups;
use super::mounts::Hierarchies;

/// Devices that may be used; what no rule names may not.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct DeviceRule {
    /// Character or block devices; `None` is both.
    pub(crate) kind: Option<DeviceKind>,
    /// `None` is any.
    pub(crate) major: Option<u32>,
    /// `None` is any.
    pub(crate) minor: Option<u32>,
    /// Any of `r`, `w` and `m` (make a node).
    pub(crate) access: String,
}

/// The two kinds of devices.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum DeviceKind {
    Block,
    Character,
}

/// One instruction of the kernel's machine.
#[repr(C)]
#[derive(Debug, Clone, Copy)]
struct Instruction {
    code: u8,
    registers: u8,
    offset: i16,
    immediate: i32,
}

// Operations, in the kernel's numbers.
const LOAD_WORD: u8 = 0x61;
const MOVE: u8 = 0xb7;
const MOVE_REGISTER: u8 = 0xbf;
const AND_32: u8 = 0x54;
const SHIFT_RIGHT_32: u8 = 0x74;
const JUMP_IF_NOT_EQUAL: u8 = 0x55;
const EXIT: u8 = 0x95;
// Registers: the answer, the question's address, and what is taken from it.
const ANSWER: u8 = 0;
const QUESTION: u8 = 1;
const ACCESS: u8 = 2;
const KIND: u8 = 3;
const MAJOR: u8 = 4;
const MINOR: u8 = 5;

const PROG_LOAD: i32 = 5;
const PROG_ATTACH: i32 = 8;
const TYPE_CGROUP_DEVICE: u32 = 15;
const ATTACH_CGROUP_DEVICE: u32 = 6;
const ALLOW_MULTI: u32 = 2;

impl Cgroups {
    /// Lets the processes of a v2 group use these devices only.
    pub(crate) fn restrict_devices(&self, group: &str, rules: &[DeviceRule]) -> io::Result<()> {
        let Hierarchies::V2(mount) = &self.hierarchies else { return Ok(()) };
        let directory = File::open(super::below(mount, group))?;
        let program = load(&program(rules))?;
        attach(&program, &directory)
    }
}

fn program(rules: &[DeviceRule]) -> Vec<Instruction> {
    let register = |code, destination: u8, source: u8, offset| Instruction {
        code,
        registers: source << 4 | destination,
        offset,
        immediate: 0,
    };
    let number = |code, destination, immediate| Instruction { code, registers: destination, offset: 0, immediate };
    let mut program = vec![
        // The first word has the kind in its lower half and the access in its upper.
        register(LOAD_WORD, ACCESS, QUESTION, 0),
        register(LOAD_WORD, MAJOR, QUESTION, 4),
        register(LOAD_WORD, MINOR, QUESTION, 8),
        register(MOVE_REGISTER, KIND, ACCESS, 0),
        number(AND_32, KIND, 0xffff),
        number(SHIFT_RIGHT_32, ACCESS, 16),
    ];
    for rule in rules {
        let mut checks = Vec::new();
        let mut wants = |at, value: u32| checks.push(number(JUMP_IF_NOT_EQUAL, at, value.cast_signed()));
        if let Some(kind) = rule.kind {
            wants(KIND, if kind == DeviceKind::Block { 1 } else { 2 });
        }
        if let Some(major) = rule.major {
            wants(MAJOR, major);
        }
        if let Some(minor) = rule.minor {
            wants(MINOR, minor);
        }
        // Nothing beyond what is allowed may be asked for. The question's address is not needed any more.
        checks.push(register(MOVE_REGISTER, QUESTION, ACCESS, 0));
        checks.push(number(AND_32, QUESTION, !access_bits(&rule.access)));
        checks.push(number(JUMP_IF_NOT_EQUAL, QUESTION, 0));
        let count = checks.len();
        for (at, check) in checks.iter_mut().enumerate().filter(|(_, check)| check.code == JUMP_IF_NOT_EQUAL) {
            // Over the rest of the checks and the two instructions that say yes.
            check.offset = i16::try_from(count - at - 1 + 2).unwrap_or(0);
        }
        program.extend(checks);
        program.extend([number(MOVE, ANSWER, 1), number(EXIT, 0, 0)]);
    }
    program.extend([number(MOVE, ANSWER, 0), number(EXIT, 0, 0)]);
    program
}

fn access_bits(access: &str) -> i32 {
    access.bytes().fold(0, |bits, letter| {
        bits | match letter {
            b'm' => 1,
            b'r' => 2,
            b'w' => 4,
            _ => 0,
        }
    })
}

fn load(program: &[Instruction]) -> io::Result<OwnedFd> {
    #[repr(C)]
    struct Load {
        kind: u32,
        count: u32,
        instructions: u64,
        license: u64,
        log: [u64; 2],
        version: u32,
        flags: u32,
    }
    let license = c"Apache-2.0";
    let attributes = Load {
        kind: TYPE_CGROUP_DEVICE,
        count: u32::try_from(program.len()).map_err(io::Error::other)?,
        instructions: program.as_ptr() as u64,
        license: license.as_ptr() as u64,
        log: [0; 2],
        version: 0,
        flags: 0,
    };
    // SAFETY: the attributes have the size said, and they and what they point to live through the call.
    let file = unsafe { libc::syscall(libc::SYS_bpf, PROG_LOAD, &raw const attributes, size_of::<Load>()) };
    match i32::try_from(file) {
        // SAFETY: the kernel has just opened this file for us alone.
        Ok(file) if file >= 0 => Ok(unsafe { OwnedFd::from_raw_fd(file) }),
        _ => Err(io::Error::last_os_error()),
    }
}

fn attach(program: &OwnedFd, group: &File) -> io::Result<()> {
    #[repr(C)]
    struct Attach {
        target: i32,
        program: i32,
        kind: u32,
        flags: u32,
    }
    let attributes = Attach {
        target: group.as_raw_fd(),
        program: program.as_raw_fd(),
        kind: ATTACH_CGROUP_DEVICE,
        flags: ALLOW_MULTI,
    };
    // SAFETY: the attributes have the size said and live through the call; both files are open.
    match unsafe { libc::syscall(libc::SYS_bpf, PROG_ATTACH, &raw const attributes, size_of::<Attach>()) } {
        0 => Ok(()),
        _ => Err(io::Error::last_os_error()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Runs the program as the kernel would.
    fn answer(program: &[Instruction], kind: u32, access: u32, major: u32, minor: u32) -> u64 {
        let mut registers = [0_u64; 6];
        let mut at = 0;
        loop {
            let instruction = program[at];
            let (destination, source) = ((instruction.registers & 15) as usize, (instruction.registers >> 4) as usize);
            let number = instruction.immediate as u32;
            at += 1;
            match instruction.code {
                LOAD_WORD => {
                    registers[destination] =
                        u64::from([access << 16 | kind, major, minor][instruction.offset as usize / 4]);
                }
                MOVE => registers[destination] = u64::from(number),
                MOVE_REGISTER => registers[destination] = registers[source],
                AND_32 => registers[destination] &= u64::from(number),
                SHIFT_RIGHT_32 => registers[destination] >>= number,
                JUMP_IF_NOT_EQUAL if registers[destination] != u64::from(number) => at += instruction.offset as usize,
                JUMP_IF_NOT_EQUAL => {}
                EXIT => return registers[0],
                other => panic!("unknown operation {other:#x}"),
            }
        }
    }

    #[test]
    fn the_program_answers_as_the_rules_say() {
        let rule = |kind, major, minor, access: &str| DeviceRule { kind, major, minor, access: access.to_owned() };
        let rules = [
            rule(Some(DeviceKind::Character), Some(1), Some(3), "rwm"),
            rule(Some(DeviceKind::Character), Some(136), None, "rw"),
            rule(Some(DeviceKind::Block), None, None, "m"),
        ];
        let program = program(&rules);
        let cases = [
            ((2, 6, 1, 3), 1),
            ((2, 7, 1, 3), 1),
            ((2, 2, 1, 1), 0),
            ((1, 6, 1, 3), 0),
            ((2, 4, 136, 9), 1),
            ((2, 1, 136, 9), 0),
            ((1, 1, 254, 0), 1),
            ((1, 2, 254, 0), 0),
            ((1, 3, 254, 0), 0),
        ];
        for ((kind, access, major, minor), want) in cases {
            assert_eq!(answer(&program, kind, access, major, minor), want, "{kind} {access} {major}:{minor}");
        }
    }

    #[test]
    fn the_kernel_takes_the_program() {
        if !rustix::process::geteuid().is_root() {
            return;
        }
        let rules = vec![DeviceRule { kind: None, major: Some(1), minor: Some(3), access: "rwm".to_owned() }; 60];
        match load(&program(&rules)) {
            Ok(_) => {}
            Err(error) if error.raw_os_error() == Some(libc::ENOSYS) => {} // a kernel without such programs
            Err(error) => panic!("{error}"),
        }
    }
}
