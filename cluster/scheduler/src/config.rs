//! What the scheduler is told at start.

/// Settings of the scheduler.
#[derive(Clone, Debug)]
pub struct Config {
    /// Pods that name this scheduler are its own. It also signs the events.
    pub scheduler_name: String,
}

impl Default for Config {
    fn default() -> Self {
        Self { scheduler_name: "default-scheduler".to_owned() }
    }
}
