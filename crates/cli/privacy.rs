//! What must hold before the first identifier is read: no core dumps, and panics that quote nothing.

use rustix::process::{DumpableBehavior, Resource, Rlimit, set_dumpable_behavior, setrlimit};

use crate::log;

/// Forbids core dumps and makes panics name their place in the code, never the value that caused them.
pub(crate) fn shut() {
    // Where the system refuses, the run goes on: the limits only ever get tighter.
    let _ = setrlimit(Resource::Core, Rlimit { current: Some(0), maximum: Some(0) });
    let _ = set_dumpable_behavior(DumpableBehavior::NotDumpable);
    std::panic::set_hook(Box::new(|panic| {
        // A decoder that stumbles over damaged bytes is caught, and its file is named as damaged.
        if !throng_decoding::is_guarded() {
            log::bug(panic);
        }
    }));
}
