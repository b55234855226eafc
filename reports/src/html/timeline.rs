//! The timeline of a run as SVG: nodes with their faults as bands, clients with their operations as bars.

use std::collections::BTreeSet;

use maud::{Markup, html};
use squall_checkers::history::{Moment, Outcome, Phase};

use super::lanes::{Band, ClientLane, NodeLane, chosen_nodes, client_lanes, node_lanes};
use crate::{
    records::{Finding, Observation},
    story,
    words::{abbreviate, clean, count, duration, time, width},
};

/// Width of the drawing, of the labels on its left, and of the time in between, in user units (pixels at full size).
const WIDTH: f64 = 1120.0;
const LEFT: f64 = 92.0;
const RIGHT: f64 = WIDTH - 16.0;

/// Height of the line of phases at the top, of a layer of a client's operations, of a layer of faults, and of what is under the
/// lanes.
const TOP: f64 = 22.0;
const ROW_HEIGHT: f64 = 22.0;
const LAYER_HEIGHT: f64 = 20.0;
const BOTTOM: f64 = 26.0;

/// With more nodes or clients than this, those to which nothing happens are left out of a drawing.
const IDLE_LANES_MAX: usize = 7;

/// Narrowest bar, so that an operation of a microsecond is still seen in a run of a minute.
const BAR_MIN: f64 = 3.0;

/// Longest tail of an unknown outcome.
const TAIL_MAX: f64 = 140.0;

/// Width of one character of a label.
const LETTER: f64 = 6.7;

/// Most ticks of the axis.
const TICKS_MAX: u64 = 9;

/// The anomaly gets a closer view of its own when it takes less than one in this many parts of the run.
const CLOSER_FROM: u64 = 3;

/// The section with the timelines: the whole run, and before it the time around the anomaly where that is a small part.
pub(super) fn section(finding: &Finding) -> Markup {
    let (nodes, nodes_hidden) = chosen_nodes(finding);
    let (clients, clients_hidden) = client_lanes(finding);
    let accused: BTreeSet<_> = story::accused(finding).into_iter().collect();
    let end = end_of_run(finding);
    let draw =
        |from, to, title: &str| View { finding, accused: &accused, clients: &clients, from, to }.draw(title, &nodes);
    let hidden: Vec<_> = [(nodes_hidden, "node"), (clients_hidden, "client")]
        .into_iter()
        .filter(|(n, _)| *n > 0)
        .map(|(n, noun)| count(n as u64, noun))
        .collect();
    html! {
        section.timeline {
            h2 { "Timeline" }
            svg.defs width="0" height="0" aria-hidden="true" {
                linearGradient #fade { stop offset="0" {} stop offset="1" stop-opacity="0" {} }
                linearGradient #fade-accused { stop offset="0" {} stop offset="1" stop-opacity="0" {} }
            }
            @if let Some((from, to)) = around_anomaly(finding, &accused, end) {
                h3 { "Around the anomaly" }
                (draw(from, to, "Around the anomaly"))
                h3 { "The whole run" }
            }
            (draw(0, end, "The whole run"))
            p.detail aria-live="polite" data-hint="Point at a bar or a band to read what it is; Tab and the arrow keys walk through them." {}
            p.legend {
                @if !finding.operations.is_empty() {
                    span { i.key.ok {} "ok" }
                    span { i.key.failed {} "certainly failed" }
                    span { i.key.unknown {} "outcome unknown" }
                }
                @if !accused.is_empty() { span { i.key.accused {} "part of the anomaly" } }
                @if !finding.faults.is_empty() { span { i.key.fault {} "fault" } span { i.key.inert {} "inert fault" } }
                @if !finding.observations.is_empty() { span { i.key.observed {} "what a node said of itself" } }
                @if !hidden.is_empty() {
                    span { "Without a lane: " (hidden.join(", ")) " (those that faults hit and that the anomaly names come first)." }
                }
            }
        }
    }
}

/// The end of the run, or of the last thing that is known of it; at least 1.
fn end_of_run(finding: &Finding) -> u64 {
    let operations = finding.operations.iter().map(|o| o.completed.unwrap_or(o.invoked).time());
    let faults = finding.faults.iter().map(|f| f.ends_ns.unwrap_or(f.begins_ns));
    let failure = finding.failure.iter().filter_map(|f| f.at_ns);
    let last = operations.chain(faults.filter(|_| finding.ended_ns == 0)).chain(failure).max().unwrap_or(0);
    last.max(finding.ended_ns).max(1)
}

/// The time around the anomaly with a margin, where a closer look pays.
fn around_anomaly(finding: &Finding, accused: &BTreeSet<usize>, end: u64) -> Option<(u64, u64)> {
    let operations = || accused.iter().map(|&i| &finding.operations[i]);
    let first = operations().map(|o| o.invoked.time()).min()?;
    let last = operations().map(|o| o.completed.unwrap_or(o.invoked).time()).max()?;
    let margin = ((last - first) / 6).max(1_000);
    let (from, to) = (first.saturating_sub(margin), (last + margin).min(end));
    (to > from && to - from < end / CLOSER_FROM).then_some((from, to))
}

/// A drawing of the time from `from` to `to`.
struct View<'a> {
    finding: &'a Finding,
    accused: &'a BTreeSet<usize>,
    clients: &'a [ClientLane],
    from: u64,
    to: u64,
}

impl View<'_> {
    fn draw(&self, title: &str, nodes: &BTreeSet<u32>) -> Markup {
        let mut nodes = node_lanes(self.finding, nodes, |f| self.shows(f.begins_ns, f.ends_ns.unwrap_or(self.to)));
        if nodes.len() > IDLE_LANES_MAX {
            nodes.retain(|lane| !lane.bands.is_empty() || self.observed(lane).next().is_some());
        }
        let mut clients: Vec<_> = self.clients.iter().collect();
        if clients.len() > IDLE_LANES_MAX {
            clients.retain(|lane| !self.shown(lane).is_empty());
        }
        let node_height = |lane: &NodeLane| lane.layers as f64 * LAYER_HEIGHT + 10.0;
        let nodes_bottom = TOP + nodes.iter().map(node_height).sum::<f64>();
        let clients_top = nodes_bottom + if clients.is_empty() { 0.0 } else { 8.0 };
        let client_height = |lane: &ClientLane| lane.layers as f64 * ROW_HEIGHT + 8.0;
        let bottom = clients_top + clients.iter().map(|lane| client_height(lane)).sum::<f64>();
        let mut y = TOP;
        html! {
            div.scroll {
                svg role="group" aria-label=(title) viewBox={ "0 0 " (WIDTH) " " (bottom + BOTTOM) } {
                    (self.axis(bottom))
                    @for lane in &nodes {
                        (self.node_lane(lane, y, node_height(lane)))
                        @let () = y += node_height(lane);
                    }
                    @if !clients.is_empty() && !nodes.is_empty() {
                        line.divide x1="0" x2=(RIGHT) y1=(nodes_bottom + 4.0) y2=(nodes_bottom + 4.0) {}
                    }
                    @let () = y = clients_top;
                    @for lane in &clients {
                        (self.client_lane(lane, y, client_height(lane)))
                        @let () = y += client_height(lane);
                    }
                    (self.failure(bottom))
                }
            }
        }
    }

    /// Where a moment is, from left to right; moments outside lie on the edges.
    fn x(&self, at: u64) -> f64 {
        let at = at.clamp(self.from, self.to) - self.from;
        LEFT + (RIGHT - LEFT) * at as f64 / (self.to - self.from) as f64
    }

    /// What the node said of itself in the time that is drawn.
    fn observed(&self, lane: &NodeLane) -> impl Iterator<Item = &Observation> {
        let node = lane.node;
        self.finding.observations.iter().filter(move |o| Some(o.node) == node && self.shows(o.at_ns, o.at_ns))
    }

    fn shows(&self, begins: u64, ends: u64) -> bool {
        begins <= self.to && ends >= self.from
    }

    /// Ticks with their times, and where phases begin.
    fn axis(&self, bottom: f64) -> Markup {
        let step = tick_step(self.to - self.from);
        let decimals = (0..=9).find(|&d| step.is_multiple_of(10_u64.pow(9 - d))).unwrap_or(9);
        let ticks = (self.from.div_ceil(step)..=self.to / step).map(|i| i * step);
        let phases = self.finding.phases.iter().filter(|p| p.phase != Phase::Chaos);
        html! {
            @for tick in ticks {
                @let x = px(self.x(tick));
                line.grid x1=(x) x2=(x) y1=(TOP - 4.0) y2=(bottom + 4.0) {}
                text.tick x=(x) y=(bottom + 18.0) { (time(tick, decimals)) }
            }
            @for phase in phases.filter(|p| self.shows(p.begins_ns, p.begins_ns)) {
                @let x = self.x(phase.begins_ns);
                line.phase x1=(px(x)) x2=(px(x)) y1="4" y2=(bottom + 4.0) {}
                @let name = if phase.phase == Phase::Settle { "settle" } else { "final reads" };
                // A name that would leave the drawing stands on the other side of its line.
                @if x + 80.0 > RIGHT { text.phase.before x=(px(x - 5.0)) y="13" { (name) } }
                @else { text.phase x=(px(x + 5.0)) y="13" { (name) } }
            }
        }
    }

    fn node_lane(&self, lane: &NodeLane, y: f64, height: f64) -> Markup {
        let middle = y + height / 2.0;
        let label = lane.node.map_or("network".to_owned(), |n| format!("n{n}"));
        let observations: Vec<_> = self.observed(lane).collect();
        html! {
            text.lane x="4" y=(px(middle + 4.0)) { (label) }
            line.base x1=(LEFT) x2=(RIGHT) y1=(px(middle)) y2=(px(middle)) {}
            @for band in &lane.bands {
                (self.band(band.index, y + 5.0 + band.layer as f64 * LAYER_HEIGHT))
            }
            @for (i, seen) in observations.iter().enumerate() {
                @let next = observations.get(i + 1).map_or(RIGHT, |o| self.x(o.at_ns));
                (self.observation(seen, y + height, next))
            }
        }
    }

    /// The dot of what a node said of itself; its label may go on until `next`, and gives way to faults.
    fn observation(&self, seen: &Observation, bottom: f64, next: f64) -> Markup {
        let x = self.x(seen.at_ns);
        let value = seen.value.as_text().map_or_else(|| seen.value.to_string(), str::to_owned);
        let brief = clean(&format!("{} {value}", seen.key));
        let said = clean(&format!("n{} at {}: {} = {value}", seen.node, time(seen.at_ns, 3), seen.key));
        let next_fault = self
            .finding
            .faults
            .iter()
            .filter(|f| f.nodes.contains(&seen.node) && f.ends_ns.is_none_or(|e| e > seen.at_ns))
            .map(|f| self.x(f.begins_ns))
            .fold(next, f64::min);
        html! {
            g.observed tabindex="-1" role="img" aria-label=(said) {
                title { (said) }
                circle cx=(px(x)) cy=(px(bottom - 8.0)) r="3.5" {}
                @if let Some(label) = label(&brief, next_fault - x - 12.0).filter(|l| *l == brief) {
                    text x=(px(x + 7.0)) y=(px(bottom - 4.0)) { (label) }
                }
            }
        }
    }

    fn band(&self, index: usize, y: f64) -> Markup {
        let fault = &self.finding.faults[index];
        let (left, right) = (self.x(fault.begins_ns), self.x(fault.ends_ns.unwrap_or(self.to)));
        let wide = (right - left).max(BAR_MIN);
        let said = format!(
            "{}, {} to {}; {}{}",
            story::fault_name(fault),
            time(fault.begins_ns, 3),
            fault.ends_ns.map_or("the end".to_owned(), |e| time(e, 3)),
            story::fault_effect(fault),
            if fault.made_possible { "; needed for the failure" } else { "" }
        );
        html! {
            g.fault.needed[fault.made_possible].inert[fault.inert] tabindex=(if fault.made_possible { "0" } else { "-1" })
                role="img" aria-label=(said) {
                title { (said) }
                rect x=(px(left)) y=(px(y)) width=(px(wide)) height=(LAYER_HEIGHT - 3.0) rx="2" {}
                // Where the whole name does not fit, its kind may.
                @let kind = label(&fault.kind, wide - 10.0).filter(|l| *l == fault.kind);
                @if let Some(label) = label(&story::fault_name(fault), wide - 10.0).or(kind) {
                    text x=(px(left + 6.0)) y=(px(y + 12.5)) { (label) }
                }
            }
        }
    }

    /// A client's operations in the time that is drawn.
    fn shown(&self, lane: &ClientLane) -> Vec<Band> {
        let overlaps = |band: &Band| {
            let operation = &self.finding.operations[band.index];
            self.shows(operation.invoked.time(), operation.completed.unwrap_or(operation.invoked).time())
        };
        lane.bands.iter().copied().filter(overlaps).collect()
    }

    fn client_lane(&self, lane: &ClientLane, y: f64, height: f64) -> Markup {
        let middle = |layer: usize| y + 4.0 + ROW_HEIGHT * (layer as f64 + 0.5);
        let shown = self.shown(lane);
        html! {
            text.lane x="4" y=(px(y + height / 2.0 + 4.0)) { (lane.label) }
            @for layer in 0..lane.layers {
                line.base x1=(LEFT) x2=(RIGHT) y1=(px(middle(layer))) y2=(px(middle(layer))) {}
            }
            // Bars may overlap when they are very short: those of the anomaly come last, on top.
            @for accused in [false, true] {
                @for (i, band) in shown.iter().enumerate().filter(|(_, b)| self.accused.contains(&b.index) == accused) {
                    @let next = shown[i + 1..].iter().find(|next| next.layer == band.layer);
                    @let next = next.map_or(RIGHT, |next| self.x(self.finding.operations[next.index].invoked.time()));
                    (self.bar(band.index, middle(band.layer), next))
                }
            }
        }
    }

    /// The bar of an operation; its label may go on until `next`, where the next bar begins.
    fn bar(&self, entry: usize, middle: f64, next: f64) -> Markup {
        let operation = &self.finding.operations[entry];
        let accused = self.accused.contains(&entry);
        let (kind, open) = match operation.outcome {
            Outcome::Ok(_) => ("ok", false),
            Outcome::Failed(_) => ("failed", false),
            Outcome::Unknown(_) => ("unknown", true),
        };
        let left = self.x(operation.invoked.time());
        let right = self.x(operation.completed.map_or(operation.invoked.time(), Moment::time)).max(left + BAR_MIN);
        let tail = if open { (right + TAIL_MAX).min(RIGHT) } else { right };
        let words = format!("{} → {}", story::call(operation), story::outcome(operation));
        let took = operation.completed.map_or("never answered".to_owned(), |m| {
            format!("took {}", duration(m.time().saturating_sub(operation.invoked.time())))
        });
        let node = operation.node.map_or(String::new(), |n| format!(" at n{n}"));
        let process = operation.process.0;
        let asked = time(operation.invoked.time(), 3);
        let said = format!("process {process}{node}: {words}; asked at {asked}, {took}");
        // Inside the bar where the words have room, or more of it than behind it.
        let (room_inside, room_behind) = (right - left - 10.0, next - right - 10.0);
        let inside = label(&words, room_inside).filter(|l| *l == words || room_inside > room_behind);
        // Cut words are worth their clutter only where they are the point.
        let behind = label(&words, room_behind).filter(|l| inside.is_none() && (accused || *l == words));
        let base = if open { middle + 1.0 } else { middle + 4.0 }; // above the tail
        html! {
            g.op.{ (kind) }.accused[accused] data-op=(entry) tabindex=(if accused { "0" } else { "-1" }) role="img" aria-label=(said) {
                title { (said) }
                @if tail > right {
                    rect.tail x=(px(right)) y=(px(middle + 5.0)) width=(px(tail - right)) height="4" {}
                }
                rect x=(px(left)) y=(px(middle - 9.0)) width=(px(right - left)) height="18" rx="2" {}
                @if let Some(text) = inside { text.in x=(px(left + 6.0)) y=(px(middle + 4.0)) { (text) } }
                @if let Some(text) = behind { text x=(px(right + 5.0)) y=(px(base)) { (text) } }
            }
        }
    }

    /// A line where the run itself failed.
    fn failure(&self, bottom: f64) -> Markup {
        let Some(failure) = &self.finding.failure else { return Markup::default() };
        let at = failure.at_ns.unwrap_or(self.to);
        let (x, name) = (self.x(at), story::failure_name(failure));
        let before = x + 10.0 + LETTER * width(&name) as f64 > RIGHT;
        html! {
            g.failure tabindex="0" role="img" aria-label={ (name) " at " (time(at, 3)) } {
                title { (name) " at " (time(at, 3)) }
                line x1=(px(x)) x2=(px(x)) y1="2" y2=(bottom + 4.0) {}
                @if before { text.before x=(px(x - 5.0)) y="13" { (name) } } @else { text x=(px(x + 5.0)) y="13" { (name) } }
            }
        }
    }
}

/// As much of a label as fits; none where that would say nothing.
fn label(text: &str, room: f64) -> Option<String> {
    let letters = (room.max(0.0) / LETTER) as usize;
    (letters >= width(text) || letters >= 8).then(|| abbreviate(text, letters))
}

/// The round span between two ticks of an axis of this length: 1, 2 or 5 times a power of ten.
fn tick_step(span: u64) -> u64 {
    let mut decade = 1_u64;
    loop {
        for step in [decade, 2 * decade, 5 * decade] {
            if span / step <= TICKS_MAX {
                return step;
            }
        }
        decade *= 10;
    }
}

/// A coordinate with one decimal.
fn px(value: f64) -> String {
    format!("{value:.1}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ticks_are_round_and_few() {
        assert_eq!([1, 9, 10, 45, 4_000_000_000].map(tick_step), [1, 1, 2, 5, 500_000_000]);
        for span in [1, 7, 1_000, 123_456_789, 3_600_000_000_000, u64::MAX / 20] {
            assert!(span / tick_step(span) <= TICKS_MAX);
        }
    }

    #[test]
    fn labels_are_whole_or_long_enough_to_tell() {
        assert_eq!(label("ab", 14.0).as_deref(), Some("ab"));
        assert_eq!(label("abcdefghij", 55.0).as_deref(), Some("abcdefg…"));
        assert_eq!(label("abcdefghij", 40.0), None);
        assert_eq!(label("abc", -5.0), None);
    }
}
