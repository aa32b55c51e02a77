//! What rendering may use, and what functions may.

use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, HashMap};
use std::rc::Rc;
use std::sync::Arc;

use crate::ambient::Ambient;
use crate::ast::Tree;
use crate::error::Failure;
use crate::funcs::Pattern;
use crate::host::Host;
use crate::set::Set;
use crate::text::Text;
use crate::trace::Trace;
use crate::value::{Map, Value};

/// Bounds on what one rendering may use.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Bytes written and built, intermediate texts included.
    pub output: usize,
    /// Nodes evaluated.
    pub steps: u64,
    /// Bytes of stack.
    pub stack: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self { output: 512 << 20, steps: 200_000_000, stack: 192 << 20 }
    }
}

/// A name that was asked for by `include`.
pub(crate) struct Included {
    /// The template, if the charts have one.
    pub(crate) tree: Option<Arc<Tree>>,
    /// How often it is open.
    pub(crate) open: Cell<u32>,
}

/// What functions may use while a template runs.
pub struct Context {
    /// Randomness and the clock.
    pub ambient: Ambient,
    pub(crate) host: Rc<dyn Host>,
    pub(crate) set: Rc<Set>,
    included: HashMap<Text, Rc<Included>>,
    pub(crate) parsed: RefCell<BTreeMap<Text, Arc<[Arc<Tree>]>>>,
    pub(crate) patterns: RefCell<BTreeMap<Text, Rc<Pattern>>>,
    /// Ranges and versions that were compared.
    pub(crate) compared: BTreeMap<(Text, Text), bool>,
    limits: Limits,
    /// Room to write into, from calls that are over.
    buffers: Vec<Vec<u8>>,
    /// Room for arguments, from calls that are over.
    values: Vec<Vec<Value>>,
    used: usize,
    steps: u64,
    base: usize,
    pub(crate) lint: bool,
    /// What is done, if it is to be remembered.
    pub(crate) trace: Option<Box<Trace>>,
    pub(crate) tpl_depth: usize,
}

/// What most buffers come to hold.
const ROOM: usize = 1024;

const TOO_DEEP: &str = "exceeded maximum template depth (100000)";

impl Context {
    /// A context on the current thread, whose stack must hold what the limits allow.
    pub(crate) fn new(set: Rc<Set>, host: Rc<dyn Host>, ambient: Ambient, limits: Limits) -> Self {
        Self {
            ambient,
            host,
            set,
            included: HashMap::new(),
            parsed: RefCell::default(),
            patterns: RefCell::default(),
            compared: BTreeMap::new(),
            limits,
            buffers: Vec::new(),
            values: Vec::new(),
            used: 0,
            steps: 0,
            base: stack_address(),
            lint: false,
            trace: None,
            tpl_depth: 0,
        }
    }

    /// What `include` knows of a name.
    pub(crate) fn included(&mut self, name: &Text) -> Rc<Included> {
        if let Some(included) = self.included.get(name) {
            return included.clone();
        }
        let included = Rc::new(Included { tree: self.set.base(&name.to_str()), open: Cell::new(0) });
        self.included.insert(name.clone(), included.clone());
        included
    }

    /// Notes that so many bytes are about to be built.
    #[inline]
    pub fn spend(&mut self, bytes: usize) -> Result<(), Failure> {
        self.used = self.used.saturating_add(bytes);
        if self.used > self.limits.output {
            return Err(Failure::limit(format!("output exceeds the limit of {} bytes", self.limits.output)));
        }
        Ok(())
    }

    #[inline]
    pub(crate) fn step(&mut self) -> Result<(), &'static str> {
        self.charge(1)?;
        self.check_depth()
    }

    /// Notes that so many steps are about to be taken.
    #[inline]
    pub fn charge(&mut self, steps: u64) -> Result<(), &'static str> {
        self.steps = self.steps.saturating_add(steps);
        if self.steps > self.limits.steps { Err("template runs longer than allowed") } else { Ok(()) }
    }

    /// How many steps were taken.
    pub(crate) fn steps(&self) -> u64 {
        self.steps
    }

    /// Notes that a field of a map was read.
    #[inline]
    pub(crate) fn note_read(&mut self, map: &Map, key: &[u8]) {
        if let Some(trace) = &mut self.trace {
            note(trace, map, key);
        }
    }

    /// How many bytes may still be built.
    pub(crate) fn output_left(&self) -> usize {
        self.limits.output.saturating_sub(self.used)
    }

    /// Counts steps that another language took.
    pub(crate) fn steps_taken(&mut self, steps: u64) {
        self.steps = self.steps.saturating_add(steps);
    }

    /// An empty buffer that has room, if there is one.
    pub(crate) fn take_buffer(&mut self) -> Vec<u8> {
        self.buffers.pop().unwrap_or_else(|| Vec::with_capacity(ROOM))
    }

    /// What was written into a buffer, which is kept for others to use.
    pub(crate) fn finish_buffer(&mut self, mut buffer: Vec<u8>) -> Text {
        /// Larger ones are rare, and not kept.
        const LARGEST: usize = 64 << 10;
        if buffer.capacity() > LARGEST {
            return buffer.into();
        }
        let text = Text::from(buffer.as_slice());
        buffer.clear();
        self.buffers.push(buffer);
        text
    }

    /// Room for the arguments of a call.
    pub(crate) fn take_values(&mut self) -> Vec<Value> {
        self.values.pop().unwrap_or_default()
    }

    /// Lets go of the arguments of a call that is over; their room is kept for others.
    pub(crate) fn finish_values(&mut self, mut values: Vec<Value>) {
        /// Calls with more are rare.
        const MOST: usize = 16;
        if values.capacity() <= MOST {
            values.clear();
            self.values.push(values);
        }
    }

    /// A context to stand where this one was taken from.
    pub(crate) fn stand_in(&self) -> Self {
        let set = Rc::new(Set::new(crate::set::Templates::default()));
        Self::new(set, Rc::new(crate::host::NoHost), self.ambient.clone(), self.limits)
    }

    /// Refuses to go deeper when the stack is nearly used up.
    #[inline]
    pub(crate) fn check_depth(&self) -> Result<(), &'static str> {
        if self.base.abs_diff(stack_address()) > self.limits.stack { Err(TOO_DEEP) } else { Ok(()) }
    }
}

/// Apart from the way that all others take: few renderings are traced.
#[cold]
fn note(trace: &mut Trace, map: &Map, key: &[u8]) {
    trace.read(map, Some(&key.into()));
}

/// Where the stack is now: a local's address, only compared, never followed.
#[inline(never)]
fn stack_address() -> usize {
    let local = 0_u8;
    std::ptr::from_ref(std::hint::black_box(&local)).addr()
}
