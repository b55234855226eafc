//! How far machines are from one another: one range of latencies for all links, or one for each way from zone to zone.

use std::fmt;

use serde::{
    Deserialize, Deserializer, Serialize, Serializer,
    de::{
        Visitor,
        value::{MapAccessDeserializer, SeqAccessDeserializer},
    },
};

use super::{MICROSECOND, MILLISECOND};

/// A range of one-way latencies, in nanoseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Latency {
    /// The least.
    pub min_ns: u64,
    /// The most.
    pub max_ns: u64,
}

/// The one-way latencies of all links. A plan file has a range, or rows of ranges.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Latencies {
    /// All links are alike.
    Alike(Latency),
    /// By zones: `[from][to]`, a square. Replica `n` is in zone `n % rows`, as [`Target::Zone`](super::Target::Zone) has it, and a
    /// client where the replica is that it prefers.
    Zones(Vec<Vec<Latency>>),
}

/// Latencies with a name, in place of a range wherever one is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Topology {
    /// Kebab-case name, unique.
    pub name: &'static str,
    /// One sentence.
    pub summary: &'static str,
    rows: &'static [&'static [Latency]],
}

/// All topologies. Their times are those of public clouds, rounded.
pub const TOPOLOGIES: &[Topology] = &[
    Topology {
        name: "one-rack",
        summary: "all machines beside one another: 50 to 200 us",
        rows: &[&[micros(50, 200)]],
    },
    Topology {
        name: "three-zones",
        summary: "three data centres of one region: 100 to 500 us inside, 0.5 to 2 ms between them",
        rows: &[
            &[micros(100, 500), micros(500, 1_500), micros(700, 2_000)],
            &[micros(500, 1_500), micros(100, 500), micros(500, 1_200)],
            &[micros(700, 2_000), micros(500, 1_200), micros(100, 500)],
        ],
    },
    Topology {
        name: "three-continents",
        summary: "America, Europe and Asia: 0.2 to 2 ms inside, 35 to 50, 75 to 100 and 95 to 130 ms between them",
        rows: &[
            &[micros(200, 2_000), millis(35, 50), millis(75, 100)],
            &[millis(35, 50), micros(200, 2_000), millis(95, 130)],
            &[millis(75, 100), millis(95, 130), micros(200, 2_000)],
        ],
    },
];

const fn micros(min: u64, max: u64) -> Latency {
    Latency { min_ns: min * MICROSECOND, max_ns: max * MICROSECOND }
}

const fn millis(min: u64, max: u64) -> Latency {
    Latency { min_ns: min * MILLISECOND, max_ns: max * MILLISECOND }
}

impl Topology {
    /// Its latencies.
    pub fn latencies(&self) -> Latencies {
        Latencies::Zones(self.rows.iter().map(|row| row.to_vec()).collect())
    }
}

impl Latencies {
    /// The topology that these are, if they are one.
    pub fn topology(&self) -> Option<&'static Topology> {
        TOPOLOGIES.iter().find(|topology| topology.latencies() == *self)
    }

    /// The latency of all links, where they are alike.
    pub fn alike(&self) -> Option<Latency> {
        match self {
            Latencies::Alike(latency) => Some(*latency),
            Latencies::Zones(rows) => rows.first().filter(|_| rows.len() == 1).and_then(|row| row.first()).copied(),
        }
    }

    /// The zone of each machine: the replicas, and after them the clients. All are in zone 0 where links are alike.
    pub fn zones(&self, nodes: u32, clients: u32) -> Vec<usize> {
        let of = match self {
            Latencies::Alike(_) => 1,
            Latencies::Zones(rows) => rows.len().max(1),
        };
        let homes = (0..clients).map(|client| client % nodes.max(1));
        (0..nodes).chain(homes).map(|node| node as usize % of).collect()
    }
}

impl From<Latency> for Latencies {
    fn from(latency: Latency) -> Self {
        Latencies::Alike(latency)
    }
}

impl Serialize for Latencies {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Latencies::Alike(latency) => latency.serialize(serializer),
            Latencies::Zones(rows) => rows.serialize(serializer),
        }
    }
}

impl<'de> Deserialize<'de> for Latencies {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        /// By shape, so that what is wrong inside is said, which an untagged enum would not do.
        struct Either;

        impl<'de> Visitor<'de> for Either {
            type Value = Latencies;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a range of latencies (`min_ns`, `max_ns`), or rows of them by zones")
            }

            fn visit_map<A: serde::de::MapAccess<'de>>(self, map: A) -> Result<Latencies, A::Error> {
                Latency::deserialize(MapAccessDeserializer::new(map)).map(Latencies::Alike)
            }

            fn visit_seq<A: serde::de::SeqAccess<'de>>(self, seq: A) -> Result<Latencies, A::Error> {
                Vec::deserialize(SeqAccessDeserializer::new(seq)).map(Latencies::Zones)
            }
        }

        deserializer.deserialize_any(Either)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn topologies_are_squares_and_as_far_one_way_as_the_other() {
        for topology in TOPOLOGIES {
            let Latencies::Zones(rows) = topology.latencies() else { panic!("{} has no zones", topology.name) };
            for (from, row) in rows.iter().enumerate() {
                assert_eq!(row.len(), rows.len(), "{}", topology.name);
                for (to, latency) in row.iter().enumerate() {
                    assert!(latency.min_ns <= latency.max_ns && *latency == rows[to][from], "{}", topology.name);
                }
            }
            assert_eq!(topology.latencies().topology(), Some(topology));
        }
    }

    #[test]
    fn a_client_is_in_the_zone_of_the_replica_it_prefers() {
        let three = TOPOLOGIES[1].latencies();
        assert_eq!(three.zones(5, 6), [0, 1, 2, 0, 1, 0, 1, 2, 0, 1, 0]);
        assert_eq!(Latencies::from(millis(1, 2)).zones(2, 2), [0, 0, 0, 0]);
    }

    #[test]
    fn files_have_a_range_or_rows_of_them() {
        let read = |text: &str| serde_json::from_str::<Latencies>(text).map_err(|e| e.to_string());
        let range = r#"{"min_ns":1,"max_ns":2}"#;
        assert_eq!(read(range), Ok(Latencies::Alike(Latency { min_ns: 1, max_ns: 2 })));
        for latencies in [read(range).expect("it is one"), TOPOLOGIES[2].latencies()] {
            assert_eq!(read(&serde_json::to_string(&latencies).expect("it has a text")), Ok(latencies));
        }
        assert!(read(r#"{"min_ns":1,"most_ns":2}"#).is_err_and(|e| e.contains("unknown field `most_ns`")));
        assert!(read("5").is_err_and(|e| e.contains("expected a range of latencies")));
    }
}
