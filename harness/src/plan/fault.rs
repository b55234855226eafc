//! Faults as data: an interval, a kind and a target.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::{MILLISECOND, SECOND, target::Target};

/// One fault: what, to whom, when. An interval, never a start/stop pair, so that deleting any entry leaves a well-formed
/// schedule.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fault {
    /// Unique in its plan. The fault's own random draws hang on it, so that taking another fault away leaves them alone.
    pub id: u32,
    /// When it begins, in nanoseconds since the start of the run.
    pub begins_ns: u64,
    /// How long it lasts, in nanoseconds.
    pub lasts_ns: u64,
    /// Whom it strikes; resolved when it begins.
    pub target: Target,
    /// What it does.
    #[serde(flatten)]
    pub kind: FaultKind,
}

impl Fault {
    /// When it ends, in nanoseconds since the start of the run.
    pub fn ends_ns(&self) -> u64 {
        self.begins_ns.saturating_add(self.lasts_ns)
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} of {}", self.kind, self.target)
    }
}

/// What a fault does. Permilles are shares of a thousand; `_ns` are nanoseconds.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "fault", rename_all = "kebab-case")]
pub enum FaultKind {
    /// Links are cut. Streams over them stall.
    Partition {
        /// Which links, seen from the target.
        shape: Shape,
        /// When given, the cut opens and closes with this half-period.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        flap_ns: Option<u64>,
        /// Whether clients are cut from the target too; else they reach every replica.
        #[serde(default, skip_serializing_if = "is_false")]
        clients: bool,
    },
    /// Messages from and to the target are lost.
    Drop {
        /// Share lost.
        permille: u32,
    },
    /// Messages from and to the target take longer.
    Delay {
        /// The most, drawn uniformly from 0.
        max_ns: u64,
    },
    /// Messages from and to the target arrive twice.
    Duplicate {
        /// Share duplicated.
        permille: u32,
    },
    /// Some messages from and to the target are overtaken by later ones.
    Reorder {
        /// Share held back.
        permille: u32,
        /// For how long at most.
        max_ns: u64,
    },
    /// Bits of messages from and to the target flip. What cannot be decoded is dropped.
    Corrupt {
        /// Share corrupted.
        permille: u32,
    },
    /// A degraded link: messages from and to the target are lost and late.
    Degrade {
        /// Share lost.
        permille: u32,
        /// Latency is multiplied by this.
        factor: u32,
    },
    /// Links from and to the target carry little: messages follow each other at a distance, wait in a queue and, where that is
    /// full, are lost. Each link has a queue of its own.
    Bandwidth {
        /// Messages that a link carries in a second.
        per_second: u32,
        /// Messages that may wait for it.
        queue: u32,
    },
    /// Clients whose own replica is among the target ask more often, or for one key more than for others. What they ask meanwhile
    /// does not count against the plan's limit.
    Burst {
        /// So many times as often.
        factor: u32,
        /// Share of what they ask that is for one key.
        #[serde(default, skip_serializing_if = "is_zero")]
        hot_permille: u32,
    },
    /// The target loses power, and starts again when the fault ends.
    Crash {
        /// What becomes of writes that were not synced.
        loss: Loss,
    },
    /// The target stands still: nothing of it runs, nothing is delivered to it, its timers and its disk wait.
    Pause,
    /// The target needs time for each message and timer, one after the other.
    Slow {
        /// How long for each.
        service_ns: u64,
    },
    /// The target needs time for each message and timer, one after the other, and has little room for what waits: a message that
    /// finds it full is lost. Streams send what was lost again.
    Inbox {
        /// How long for each.
        service_ns: u64,
        /// Messages and timers that may wait.
        room: u32,
    },
    /// The target takes few connections: a stream that would be one more is refused. Those that stand, stand.
    Connections {
        /// Streams that others may have opened to each node.
        limit: u32,
    },
    /// The target's wall clock is off.
    ClockOffset {
        /// By this much; negative is behind.
        ns: i64,
    },
    /// The target's clocks (monotonic too, so timers feel it) run fast or slow.
    ClockDrift {
        /// By so many parts per billion; negative is slow. Greater than -1,000,000,000.
        ppb: i64,
    },
    /// The target's wall clock jumps again and again, up to `ns` back or forth; its monotonic clock follows forward jumps, as
    /// after a suspended machine.
    ClockJumps {
        /// The widest jump.
        ns: u64,
        /// Time from jump to jump.
        period_ns: u64,
    },
    /// The target's wall clock flips between right and `ns` off.
    ClockStrobe {
        /// How far.
        ns: i64,
        /// Time from flip to flip.
        period_ns: u64,
    },
    /// Syncs on the target's disk fail; what they should have saved is lost at the next power loss even if a later sync succeeds.
    SyncError {
        /// Share of syncs that fail.
        permille: u32,
    },
    /// The target's disk is full: writes fail.
    DiskFull,
    /// The target's disk is slow.
    DiskSlow {
        /// Each operation takes this much longer.
        ns: u64,
    },
    /// Bits on the target's disk flip, once, when the fault begins.
    BitRot {
        /// How many.
        bits: u32,
    },
    /// The target is killed, its disk emptied; it starts afresh when the fault ends.
    Wipe,
    /// The target is no member of the cluster: an admin asks the system to remove it, again and again until the system says that it
    /// is done, and to add it again when the fault ends. Its machine goes on all the while.
    Removal,
}

/// Which links a partition cuts. `S` is the target.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Shape {
    /// Between S and the rest, both ways.
    Split,
    /// From the rest to S: S speaks and does not hear.
    Inbound,
    /// From S to the rest: S hears and does not speak.
    Outbound,
    /// Each node reaches a majority, no two the same one (Jepsen's majorities-ring). The target is not looked at.
    Ring,
    /// S reaches all; the others fall into two halves that do not reach each other.
    Bridge,
}

/// What becomes of unsynced writes when the power goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Loss {
    /// They survive: only the process died.
    Kept,
    /// All are lost.
    Lost,
    /// A prefix survives, and the write after it in part.
    Torn,
    /// Any subset survives, whatever their order was.
    Reordered,
}

/// The classes of faults that a promise speaks of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum FaultClass {
    /// Links cut in any shape.
    Partition,
    /// Messages lost.
    Drop,
    /// Messages late or out of order.
    Delay,
    /// Messages twice.
    Duplicate,
    /// Messages with flipped bits.
    Corrupt,
    /// The process dies, its disk as it was.
    Crash,
    /// The power goes: unsynced writes may be lost, torn or reordered.
    PowerLoss,
    /// A node stands still or is slow.
    Pause,
    /// Wall clocks are wrong.
    WallClock,
    /// Clocks run at a wrong rate, monotonic ones too.
    Drift,
    /// Syncs fail.
    SyncError,
    /// The disk is full.
    DiskFull,
    /// The disk is slow.
    DiskSlow,
    /// Stored bits flip.
    BitRot,
    /// A node loses its disk.
    Wipe,
    /// Nodes leave the cluster and come back, because an admin says so. What a system has to offer, not only to survive.
    Membership,
}

impl FaultClass {
    /// Every class.
    pub const ALL: [FaultClass; 16] = [
        FaultClass::Partition,
        FaultClass::Drop,
        FaultClass::Delay,
        FaultClass::Duplicate,
        FaultClass::Corrupt,
        FaultClass::Crash,
        FaultClass::PowerLoss,
        FaultClass::Pause,
        FaultClass::WallClock,
        FaultClass::Drift,
        FaultClass::SyncError,
        FaultClass::DiskFull,
        FaultClass::DiskSlow,
        FaultClass::BitRot,
        FaultClass::Wipe,
        FaultClass::Membership,
    ];
}

impl FaultKind {
    /// The classes that a promise must tolerate for this fault to lie inside it.
    pub fn classes(&self) -> &'static [FaultClass] {
        use FaultClass as C;
        match self {
            // Who is not let in is as good as cut off.
            FaultKind::Partition { .. } | FaultKind::Connections { .. } => &[C::Partition],
            FaultKind::Drop { .. } => &[C::Drop],
            FaultKind::Delay { .. } | FaultKind::Reorder { .. } => &[C::Delay],
            FaultKind::Duplicate { .. } => &[C::Duplicate],
            FaultKind::Corrupt { .. } => &[C::Corrupt],
            FaultKind::Degrade { .. } | FaultKind::Bandwidth { .. } => &[C::Drop, C::Delay],
            // To be asked much is no fault of any class: no promise is about how often clients may ask.
            FaultKind::Burst { .. } => &[],
            FaultKind::Crash { loss: Loss::Kept } => &[C::Crash],
            FaultKind::Crash { .. } => &[C::Crash, C::PowerLoss],
            FaultKind::Pause | FaultKind::Slow { .. } => &[C::Pause],
            FaultKind::Inbox { .. } => &[C::Pause, C::Drop],
            FaultKind::ClockOffset { .. } | FaultKind::ClockStrobe { .. } => &[C::WallClock],
            FaultKind::ClockDrift { .. } => &[C::Drift],
            FaultKind::ClockJumps { .. } => &[C::WallClock, C::Drift],
            FaultKind::SyncError { .. } => &[C::SyncError],
            FaultKind::DiskFull => &[C::DiskFull],
            FaultKind::DiskSlow { .. } => &[C::DiskSlow],
            FaultKind::BitRot { .. } => &[C::BitRot],
            FaultKind::Wipe => &[C::Wipe],
            FaultKind::Removal => &[C::Membership],
        }
    }

    /// The kind's name, as plans and reports write it.
    pub fn name(&self) -> &'static str {
        match self {
            FaultKind::Partition { .. } => "partition",
            FaultKind::Drop { .. } => "drop",
            FaultKind::Delay { .. } => "delay",
            FaultKind::Duplicate { .. } => "duplicate",
            FaultKind::Reorder { .. } => "reorder",
            FaultKind::Corrupt { .. } => "corrupt",
            FaultKind::Degrade { .. } => "degrade",
            FaultKind::Bandwidth { .. } => "bandwidth",
            FaultKind::Burst { .. } => "burst",
            FaultKind::Crash { .. } => "crash",
            FaultKind::Pause => "pause",
            FaultKind::Slow { .. } => "slow",
            FaultKind::Inbox { .. } => "inbox",
            FaultKind::Connections { .. } => "connections",
            FaultKind::ClockOffset { .. } => "clock-offset",
            FaultKind::ClockDrift { .. } => "clock-drift",
            FaultKind::ClockJumps { .. } => "clock-jumps",
            FaultKind::ClockStrobe { .. } => "clock-strobe",
            FaultKind::SyncError { .. } => "sync-error",
            FaultKind::DiskFull => "disk-full",
            FaultKind::DiskSlow { .. } => "disk-slow",
            FaultKind::BitRot { .. } => "bit-rot",
            FaultKind::Wipe => "wipe",
            FaultKind::Removal => "removal",
        }
    }
}

impl fmt::Display for FaultKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            FaultKind::Partition { shape, flap_ns, clients } => {
                let shape = match shape {
                    Shape::Split => "partition",
                    Shape::Inbound => "one-way partition (hears nobody)",
                    Shape::Outbound => "one-way partition (nobody hears it)",
                    Shape::Ring => "partition into overlapping majorities",
                    Shape::Bridge => "partition bridged by one node",
                };
                f.write_str(shape)?;
                if let Some(ns) = flap_ns {
                    write!(f, ", flapping every {}", Span(*ns))?;
                }
                if *clients {
                    f.write_str(", clients cut too")?;
                }
                Ok(())
            }
            FaultKind::Drop { permille } => write!(f, "loss of {} of messages", Share(*permille)),
            FaultKind::Delay { max_ns } => write!(f, "delay up to {}", Span(*max_ns)),
            FaultKind::Duplicate { permille } => write!(f, "duplication of {} of messages", Share(*permille)),
            FaultKind::Reorder { permille, max_ns } => {
                write!(f, "reordering of {} of messages by up to {}", Share(*permille), Span(*max_ns))
            }
            FaultKind::Corrupt { permille } => write!(f, "corruption of {} of messages", Share(*permille)),
            FaultKind::Degrade { permille, factor } => {
                write!(f, "degrade, {} lost at {factor}x latency", Share(*permille))
            }
            FaultKind::Bandwidth { per_second, queue } => {
                write!(f, "links of {per_second} messages per second with room for {queue} more")
            }
            FaultKind::Burst { factor, hot_permille } => {
                let hot = Share(*hot_permille);
                match (factor, hot_permille) {
                    (_, 0) => write!(f, "burst of {factor} times the load"),
                    (1, _) => write!(f, "{hot} of the load for one key"),
                    _ => write!(f, "burst of {factor} times the load, {hot} of it for one key"),
                }
            }
            FaultKind::Crash { loss: Loss::Kept } => f.write_str("crash"),
            FaultKind::Crash { loss: Loss::Lost } => f.write_str("power loss (unsynced writes lost)"),
            FaultKind::Crash { loss: Loss::Torn } => f.write_str("power loss (last unsynced write torn)"),
            FaultKind::Crash { loss: Loss::Reordered } => f.write_str("power loss (unsynced writes kept out of order)"),
            FaultKind::Pause => f.write_str("pause"),
            FaultKind::Slow { service_ns } => write!(f, "slow, {} per event", Span(*service_ns)),
            FaultKind::Inbox { service_ns, room } => {
                write!(f, "slow, {} per event, with room for {room} more", Span(*service_ns))
            }
            FaultKind::Connections { limit } => write!(f, "limit of {limit} connections"),
            FaultKind::ClockOffset { ns } => write!(f, "wall clock off by {}", Signed(*ns)),
            FaultKind::ClockDrift { ppb } => {
                let sign = if *ppb < 0 { "-" } else { "+" };
                let permille = ppb.unsigned_abs() / 1_000_000;
                write!(f, "clock drift of {sign}{}.{}%", permille / 10, permille % 10)
            }
            FaultKind::ClockJumps { ns, period_ns } => {
                write!(f, "clock jumps up to {} every {}", Span(*ns), Span(*period_ns))
            }
            FaultKind::ClockStrobe { ns, period_ns } => {
                write!(f, "clock strobe by {} every {}", Signed(*ns), Span(*period_ns))
            }
            FaultKind::SyncError { permille } => write!(f, "failure of {} of syncs", Share(*permille)),
            FaultKind::DiskFull => f.write_str("full disk"),
            FaultKind::DiskSlow { ns } => write!(f, "slow disk (+{})", Span(*ns)),
            FaultKind::BitRot { bits } => write!(f, "bit rot ({bits} bits)"),
            FaultKind::Wipe => f.write_str("wipe of the disk"),
            FaultKind::Removal => f.write_str("removal"),
        }
    }
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "the signature that serde asks for")]
fn is_false(b: &bool) -> bool {
    !*b
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "the signature that serde asks for")]
fn is_zero(n: &u32) -> bool {
    *n == 0
}

/// A span of nanoseconds in the largest fitting unit.
struct Span(u64);

impl fmt::Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            ns if ns >= SECOND => write!(f, "{}.{} s", ns / SECOND, ns % SECOND / (SECOND / 10)),
            ns if ns >= MILLISECOND => write!(f, "{} ms", ns / MILLISECOND),
            ns => write!(f, "{} us", ns / 1000),
        }
    }
}

struct Signed(i64);

impl fmt::Display for Signed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", if self.0 < 0 { "-" } else { "+" }, Span(self.0.unsigned_abs()))
    }
}

/// A share of a thousand as a percentage.
struct Share(u32);

impl fmt::Display for Share {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.is_multiple_of(10) {
            write!(f, "{}%", self.0 / 10)
        } else {
            write!(f, "{}.{}%", self.0 / 10, self.0 % 10)
        }
    }
}
