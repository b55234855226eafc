//! Every format: what is written is read again, and what is wrong is said with line and column.

mod generator;

use std::{collections::BTreeMap, fmt::Write};

use generator::Shape;
use squall_checkers::{
    budget::Budget,
    formats::{self, Format},
    history::{History, MarkKind, Moment, Outcome, Phase, ProcessId, Provenance},
    operation::{Name, Operation},
    recorder::HistoryBuilder,
    value::Value,
};

/// A history with one of everything.
fn rich() -> History {
    let shape =
        Shape { operations: 40, processes: 4, keys: 1, values: 3, cas: true, unknown_per_mille: 200, stale: false };
    let mut history = generator::history(shape, 7);
    let mut recorder = HistoryBuilder::new();
    recorder.mark(MarkKind::Phase(Phase::Chaos), 5);
    recorder.mark(MarkKind::FaultBegins(1, "partition {0} \"from\" {1 2}\n".into()), 6);
    recorder.mark(MarkKind::FaultEnds(1), 7);
    recorder.mark(MarkKind::Phase(Phase::Settle), 8);
    recorder.mark(MarkKind::Phase(Phase::FinalReads), 9);
    recorder.mark(MarkKind::FinalReads(ProcessId(3), 2), 10);
    let odd = Value::from(BTreeMap::from([(
        Value::Bytes([0, 255].into()),
        Value::List(vec![Value::Nil, "nil".into(), "a b".into()]),
    )]));
    recorder.invoke(ProcessId(900), Operation::new("odd name", odd.clone(), odd), 11);
    let more = recorder.finish();
    let offset = 1000;
    history.marks = more.marks;
    history.entries.extend(more.entries);
    for moment in history.marks.iter_mut().map(|m| &mut m.at) {
        moment.position += offset;
    }
    if let Some(last) = history.entries.last_mut() {
        last.invoked.position += offset;
    }
    history.provenance = Provenance {
        system: "raft:bug".into(),
        workload: "register".into(),
        seed: Some(u64::MAX),
        promised: Some(Name::new("linearizable")),
    };
    history.validate().expect("well-formed");
    history
}

#[test]
fn text_and_jsonl_are_read_as_they_were_written() {
    for format in [Format::Text, Format::Jsonl] {
        let written = formats::write(&rich(), format).expect("a format that is written");
        assert_eq!(Format::detect(&written), format);
        let read = formats::read(written.as_bytes(), None).unwrap_or_else(|error| panic!("{error}\n{written}"));
        assert_eq!(read, rich(), "{written}");
    }
}

/// Nobody knows what came of an operation of which the file says no more.
#[test]
fn what_is_still_open_at_the_end_is_unknown() {
    let jsonl = r#"{"squall-history":1}
        {"type":"invoke","process":0,"f":"write","args":1}"#;
    let edn = "{:type :invoke, :f :write, :process 0, :value 1}";
    let json = r#"{"type":"invoke","f":"write","process":0,"value":1}"#;
    for (content, format) in [(jsonl, Format::Jsonl), (edn, Format::JepsenEdn), (json, Format::JepsenJson)] {
        let history = formats::read(content.as_bytes(), Some(format)).expect("a history");
        let [entry] = &history.entries[..] else { panic!("{format}: {history:?}") };
        assert!(entry.is_unknown() && entry.completed.is_none(), "{format}: {entry:?}");
    }
}

/// What Jepsen's formats keep of a history: a comparison that failed is no reply there.
fn as_jepsen_says(mut history: History) -> History {
    for entry in &mut history.entries {
        if entry.operation.f == "cas" && entry.outcome == Outcome::Ok(false.into()) {
            entry.outcome = Outcome::Failed("".into());
        }
        if entry.completed.is_none() {
            entry.outcome = Outcome::Unknown("still open at the end".into());
        }
    }
    history
}

#[test]
fn jepsen_histories_are_read_as_they_were_written() {
    let shape =
        Shape { operations: 60, processes: 4, keys: 2, values: 3, cas: true, unknown_per_mille: 200, stale: false };
    let register = generator::history(shape, 7);
    let nested = "0: write[{\"a b\" [1 nil]}] \"say \\\"\\\\\\n\\u0007\" @0/5..3/9; 1: \"odd name\" {x [] y {}} -> [{}] @1/5..2/6; \
        2: txn [[r x nil] [append 1 [y]]] ? @4/9..; 1: acquire 5 -> 9 @5/9..6/10; 1: acquire 5 @7/11..8/12; \
        1: read -> nil ! \"\" @9/12..10/13";
    let nested = formats::text::read(&nested.replace("-> nil !", "!")).unwrap();
    for history in [register, nested] {
        for format in [Format::JepsenEdn, Format::JepsenJson] {
            let written = formats::write(&history, format).unwrap_or_else(|| panic!("{format} can say it"));
            assert_eq!(Format::detect(&written), format, "{written}");
            let read = formats::read(written.as_bytes(), None).unwrap_or_else(|error| panic!("{error}\n{written}"));
            assert_eq!(read, as_jepsen_says(history.clone()), "{written}");
        }
    }
    let one = formats::write(&generator::history(Shape { keys: 1, ..shape }, 8), Format::Text).unwrap();
    let one = formats::text::read(&one.replace("[0]", "")).unwrap();
    let written = formats::write(&one, Format::EtcdLog).expect("a register");
    assert_eq!(Format::detect(&written), Format::EtcdLog, "{written}");
    let mut read = formats::read(written.as_bytes(), None).unwrap_or_else(|error| panic!("{error}\n{written}"));
    let mut said = one;
    let moments = |h: &mut History| {
        h.entries
            .iter_mut()
            .flat_map(|e| [Some(&mut e.invoked), e.completed.as_mut()])
            .flatten()
            .for_each(|m| *m = Moment::new(m.position, 0));
    };
    moments(&mut read);
    moments(&mut said);
    // The log does tell a comparison that failed from an operation that did.
    for entry in said.entries.iter_mut().filter(|e| e.completed.is_some()) {
        if let Outcome::Failed(why) | Outcome::Unknown(why) = &mut entry.outcome {
            *why = "timed-out".into();
        }
    }
    assert_eq!(read, said, "{written}");
}

#[test]
fn jepsen_histories_keep_their_shape() {
    let text = "-- chaos; -- fault 1 begins partition; 0: txn [[append x 1] [r x nil]] -> [[append x 1] [r x [1]]]; 1: cas[k] [1 2] -> false; \
        2: write[k] 2 ? timeout; -- fault 1 ends; 3: read[k] ? @12..";
    let history = formats::text::read(text).unwrap();
    let written = [Format::JepsenEdn, Format::JepsenJson].map(|format| formats::write(&history, format).unwrap());
    insta::assert_snapshot!(written.join("\n"));
}

#[test]
fn what_jepsen_cannot_say_is_not_written() {
    let deep = format!("0: write {}{}", "[".repeat(64), "]".repeat(64));
    for (text, format) in [
        ("0: write 0x00", Format::JepsenEdn),
        ("0: write 0x00", Format::JepsenJson),
        ("0: write {1 2}", Format::JepsenJson),
        ("0: add 1 -> true", Format::JepsenEdn),
        ("0: write [[w x 1]]", Format::JepsenEdn),
        ("0: write [[w x 1]]", Format::JepsenJson),
        ("0: acquire 1 -> 1", Format::JepsenEdn),
        ("0: read 1 -> 1", Format::JepsenEdn),
        ("0: txn [[w 1 2]] -> [[w 1 2]]; %order processes", Format::JepsenEdn),
        ("0: read -> 1; %order processes", Format::EtcdLog),
        ("0: read[x] -> 1", Format::EtcdLog),
        ("0: add 1", Format::EtcdLog),
        (&deep, Format::JepsenEdn),
        (&deep, Format::JepsenJson),
    ] {
        let history = formats::text::read(text).unwrap_or_else(|error| panic!("{error}: {text}"));
        assert_eq!(formats::write(&history, format), None, "{format}: {text}");
    }
}

#[test]
fn json_lines_keep_their_shape() {
    let text = "0: write[x] 1; 1: read[x] ? slow; 2: write[x] 2 ! full; 3: read[x] ? @9..; -- settle @12/700";
    let history = formats::text::read(text).unwrap();
    insta::assert_snapshot!(formats::write(&history, Format::Jsonl).unwrap());
}

#[test]
fn errors_say_where_and_what() {
    let deep = "[".repeat(100_000);
    let deep_json =
        format!("{{\"squall-history\":1}}\n{{\"type\":\"invoke\",\"process\":0,\"f\":\"read\",\"key\":{deep}");
    let cases: &[(&str, &str)] = &[
        ("0: write[x] 1\n1: read[x] -> @3..4", "text"),
        ("0 write[x] 1", "text"),
        ("0: write[x 1", "text"),
        ("0: write[x] 99999999999999999999", "text"),
        ("99999999999: write[x] 1", "text"),
        ("0: write[x] \"abc", "text"),
        ("0: write[x] \"abc\n1: read[x] -> \"abc\"", "text"),
        ("0: write[x] 1\n-- fault 1 ends", "text"),
        ("-- fault 1 begins split; -- fault 1 ends; 0: write[x] 1; -- fault 1 ends", "text"),
        ("0: write[x] 1 @0/1500..1/300", "text"),
        ("0: write[x] 1 @5..3", "text"),
        ("0: write[x] 1 @0..9\n0: read[x] -> 1 @1..2", "text"),
        ("0: write[x] 1 ?\n0: read[x] -> 1", "text"),
        ("0: write[x] 1 @0..1; 1: read[x] -> 1 @1..2", "text"),
        ("hello", "text"),
        ("# 0: write[x] 1\n# 1: read[x] -> 1\n", "text"),
        (&deep, "text"),
        ("[{:type :invoke, :f :read, :process 0}\n{:type :invoke, :f :read, :process 0}]", "jepsen-edn"),
        ("[{:type :ok, :f :read, :process 0}]", "jepsen-edn"),
        ("[{:type :invoke, :f :read, :process 0}\n {:type :ok, :f :write, :process 0}]", "jepsen-edn"),
        ("[{:type :invoke, :f :read, :process 0}", "jepsen-edn"),
        ("{:type :invoke, :f :read, :process 0}\n{:type :ok, :f :read}", "jepsen-edn"),
        ("{:type :invoke, :f :read}\n{:type :ok, :f :read, :process 0}", "jepsen-edn"),
        ("{:type :invoke :f :read :process -1}", "jepsen-edn"),
        ("{:type :invoke :f :read :process 99999999999999999999}", "jepsen-edn"),
        ("{:type :invoke :f :read :process :client-1}", "jepsen-edn"),
        ("{:type :invoke :f :read :process 0}\n{:type :invoke :f :read :process \"1\"}", "jepsen-edn"),
        ("{:type :invoke :f :read :process nil}", "jepsen-edn"),
        ("{:type :maybe, :f :read, :process 0}", "jepsen-edn"),
        ("{:type :invoke, :f}", "jepsen-edn"),
        ("{:type :invoke, :f :write, :process 0, :value \"abc}\n", "jepsen-edn"),
        ("; {:type :invoke, :f :read, :process 0}\n", "jepsen-edn"),
        ("#_ {:type :invoke, :f :read, :process 0}", "jepsen-edn"),
        (&deep, "jepsen-edn"),
        ("[{\"type\":\"invoke\",\"f\":\"read\",\"process\":0},\n {\"type\":\"ok\" \"f\"", "jepsen-json"),
        ("{\"type\":\"invoke\",\"f\":\"read\",\"process\":1e999}", "jepsen-json"),
        ("{\"type\":\"invoke\",\"f\":\"read\",\"process\":1.5}", "jepsen-json"),
        ("{\"type\":\"invoke\",\"f\":\"read\",\"process\":\"1\"}", "jepsen-json"),
        (
            "[{\"type\":\"invoke\",\"f\":\"read\",\"process\":0},\n {\"type\":\"ok\",\"f\":\"read\",\"process\":\"0\"}]",
            "jepsen-json",
        ),
        (&deep, "jepsen-json"),
        ("r 1 2\nw 1", "awdit"),
        ("r 1 2\nx 1 2", "awdit"),
        ("r 1 99999999999999999999", "awdit"),
        ("r(1,2,3)", "plume"),
        ("w(1,2,0,-1)\nw(1,3,0,1)\nw(1,4,0,-1)", "plume"),
        ("w(1,2,-1,0)", "plume"),
        ("[x:=1] [y=1]", "dbcop"),
        ("[x:=1", "dbcop"),
        ("[x:=99999999999999999999]", "dbcop"),
        ("INFO  jepsen.util - 0\t:ok\t:read\tnil", "etcd-log"),
        ("INFO  jepsen.util - 0\t:invoke\t:read", "etcd-log"),
        ("INFO  jepsen.util - 0\t:invoke\t:read\tnil\nINFO  jepsen.ut", "etcd-log"),
        ("INFO  jepsen.util - 0\t:invoke\t:read\tnil\n0\t:ok\t:read\t3", "etcd-log"),
        ("INFO  jepsen.util - 0\t:invoke\t:read\tnil INFO  jepsen.util - 0\t:ok\t:read\t3", "etcd-log"),
        ("INFO  jepsen.util - :client-1\t:invoke\t:read\tnil", "etcd-log"),
        ("INFO  jepsen.util - \"1\"\t:invoke\t:read\tnil", "etcd-log"),
        ("INFO  jepsen.util - -1\t:invoke\t:read\tnil", "etcd-log"),
        ("INFO  jepsen.core - Worker 0 starting\n", "etcd-log"),
        ("hello", "etcd-log"),
        ("{\"squall-history\":2}", "jsonl"),
        ("{\"squall-history\":2,\"order\":\"by-clocks\"}", "jsonl"),
        ("{\"squall-history\":0}", "jsonl"),
        ("{\"squall-history\":\"one\"}", "jsonl"),
        ("{\"squall-history\":1}\n{\"type\":\"invoke\",\"process\":0}", "jsonl"),
        ("{\"squall-history\":1}\n{\"type\":\"ok\",\"process\":0}", "jsonl"),
        ("{\"squall-history\":1}\n{\"type\":\"invoke\",\"process\":0,\"f\":\"read\",\"key\":1.5}", "jsonl"),
        ("{\"squall-history\":1}\n{\"type\":\"invoke\",\"process\":0,\"f\":\"read\",\"key\":1e999}", "jsonl"),
        ("{\"squall-history\":1}\n{\"type\":\"invoke\",\"process\":0,\"f\":\"rea", "jsonl"),
        ("{\"squall-history\":1}\n{\"type\":\"what\",\"process\":0}", "jsonl"),
        (&deep_json, "jsonl"),
        ("xx", "jsonl"),
        ("{\"squall-history\":1}\n xx", "jsonl"),
        ("{\"squall-history\":1}\n{\"type\":\"invoke\",\"process\":0,\"f\":\"é\",\"key\":xx}", "jsonl"),
        ("{\"squall-history\":1}\n{\"type\":\"invoke\" \"process\":0}", "jsonl"),
        ("{\"squall-history\":1}\n{\"process\":0}", "jsonl"),
        ("{\"squall-history\":1}\n{\"type\":\"mark\",\"kind\":{\"fault-ends\":1}}", "jsonl"),
        (
            "{\"squall-history\":1}\n{\"type\":\"invoke\",\"process\":0,\"f\":\"read\",\"time\":9}\n{\"type\":\"ok\",\"process\":0,\"time\":8}",
            "jsonl",
        ),
        ("", "jsonl"),
        ("{\"squall-certificate\":1}", "found out"),
        ("{\n  \"squall-case\": 1,\n", "found out"),
        ("\u{feff}{\"squall-plan\": 7}", "found out"),
    ];
    let mut out = String::new();
    for (content, format) in cases {
        let error = formats::read(content.as_bytes(), Format::named(format)).expect_err("this is no history");
        let shown: String = content.chars().take(100).collect();
        writeln!(out, "{format}: {shown:?}\n    {error}").expect("strings take everything");
        if let Some(instead) = error.instead {
            writeln!(out, "    {instead}").expect("strings take everything");
        }
    }
    let error = formats::read(b"0: write[x] 1\n1: \xff", None).expect_err("not UTF-8");
    insta::assert_snapshot!(format!("{out}bytes: {error}"));
}

#[test]
fn transactions_are_read_as_they_were_written() {
    let both = "0: txn [[w 1 2] [r 2 nil]] -> [[w 1 2] [r 2 5]]; 1: txn [[w 2 5]] -> [[w 2 5]]; %order processes";
    let nothing = "0: txn [[r x nil]] -> [[r x nil]]; 1: txn [[w x 1]] ! aborted; %order processes";
    for (text, format) in [
        (both, Format::Awdit),
        (both, Format::Plume),
        (&both.replace(" 1 ", " x ").replace(" 2 ", " y "), Format::Dbcop),
        (&nothing.replace(" x ", " 7 ").replace("! aborted", "-> [[w 7 1]]"), Format::Plume),
        (nothing, Format::Dbcop),
    ] {
        let history = formats::text::read(text).unwrap();
        let written = formats::write(&history, format).unwrap_or_else(|| panic!("{format} can say {text}"));
        assert_eq!(Format::detect(&written), format, "{written}");
        let read = formats::read(written.as_bytes(), None).unwrap();
        let known =
            |h: &History| h.entries.iter().map(|e| (e.operation.clone(), e.outcome.clone())).collect::<Vec<_>>();
        assert_eq!(known(&read), known(&history), "{written}");
        assert_eq!(read.order, history.order);
    }
    for (text, format) in [
        ("0: write[x] 1", Format::Awdit),
        (nothing, Format::Awdit),
        (nothing, Format::Plume),
        (both, Format::EtcdLog),
        (both, Format::JepsenEdn),
    ] {
        assert_eq!(formats::write(&formats::text::read(text).unwrap(), format), None, "{format}");
    }
}

#[test]
fn every_prefix_of_a_file_is_read_or_refused() {
    let edn = "; comment\n[{:type :invoke, :f :cas, :value [1 2], :process 0, :time 5}\n #_x {:type :info, :f :cas, :process 0, :error [\"a\" #{1}]}]";
    let log = "INFO  jepsen.util - 0\t:invoke\t:cas\t[1 2]\nINFO  jepsen.util - 0\t:fail\t:cas\t[1 2]\n";
    let text = formats::write(&rich(), Format::Text).unwrap();
    let jsonl = formats::write(&rich(), Format::Jsonl).unwrap();
    let json = "[{\"type\":\"invoke\",\"f\":\"txn\",\"value\":[[\"append\",1,2]],\"process\":0},\n{\"type\":\"info\",\"f\":\"txn\",\"value\":null,\"process\":0,\"time\":1.5e3}]";
    for (content, format) in [
        (edn, Format::JepsenEdn),
        (log, Format::EtcdLog),
        (&text, Format::Text),
        (&jsonl, Format::Jsonl),
        (json, Format::JepsenJson),
        ("w 1 2\n-----\nr 1 2\n=====\nr 1 -2\n", Format::Awdit),
        ("w(1,2,0,0)\nr(1,2,1,7)\n r(2, 0,1,8)", Format::Plume),
        ("// a\n[x:=1 y==?] [y==2]!\n--\n[x==1]", Format::Dbcop),
    ] {
        formats::read(content.as_bytes(), Some(format)).expect("whole");
        for end in 0..content.len() {
            for format in Format::ALL {
                if let Ok(history) = formats::read(&content.as_bytes()[..end], Some(format)) {
                    assert_eq!(history.validate(), Ok(()));
                }
            }
        }
    }
}

#[test]
fn nothing_happened_where_nothing_is_said() {
    let empty = [("", "text"), (" \n\n", "text"), ("%seed 7", "text"), ("-- settle", "text"), ("\n", "jepsen-edn")];
    let nemesis = "{:type :info, :f :start, :process :nemesis}";
    for (content, format) in empty.into_iter().chain([
        ("[]", "jepsen-edn"),
        ("[ ]", "jepsen-json"),
        (nemesis, "jepsen-edn"),
        ("\n", "etcd-log"),
    ]) {
        let history = formats::read(content.as_bytes(), Format::named(format));
        assert!(history.is_ok_and(|h| h.entries.is_empty()), "{format}: {content:?}");
    }
}

#[test]
fn formats_are_found_out() {
    let pretty =
        "[\n    {\n        \"process\": 0,\n        \"type\": \"invoke\",\n        \"f\": \"read\"\n    }\n]\n";
    let op = "#jepsen.history.Op{:index 0, :time 1, :type :invoke, :process 0, :f :read, :value nil}\n";
    let record = "; a comment\n#knossos.op/Op {:type :invoke, :process 0, :f :read, :value nil}\n";
    let list = format!("[{op} {}]", op.replace("process 0", "process 1"));
    let said = "[{:type :invoke, :f :read, :process 0, :error \"1 == 2\"}]";
    for (content, format) in [
        (pretty, Format::JepsenJson),
        (&pretty[1..pretty.len() - 2], Format::JepsenJson),
        (op, Format::JepsenEdn),
        (record, Format::JepsenEdn),
        (&list, Format::JepsenEdn),
        (said, Format::JepsenEdn),
        ("#see jepsen.history {a}\n#1.\n0: read -> 1", Format::Text),
        (
            "{\"system\":\"type\",\"squall-history\":1}\n{\"type\":\"invoke\",\"process\":0,\"f\":\"read\"}",
            Format::Jsonl,
        ),
    ] {
        assert_eq!(Format::detect(content), format, "{content}");
        let history = formats::read(content.as_bytes(), None).unwrap_or_else(|error| panic!("{error}\n{content}"));
        assert!(!history.entries.is_empty(), "{content}");
    }
}

/// Our own formats refuse a completion before its invocation.
#[test]
fn what_jepsen_says_of_times_is_read_again() {
    let edn = "{:type :invoke, :f :write, :process 0, :value 1, :time 9}\n{:type :ok, :f :write, :process 0, :value 1}\n\
        {:type :invoke, :f :write, :process 1, :value 2, :time 7}\n{:type :ok, :f :write, :process 1, :value 2, :time 5}\n";
    let history = formats::read(edn.as_bytes(), None).unwrap();
    let text = formats::write(&history, Format::Text).unwrap();
    assert_eq!(text, "0: write 1 @0/9..1/9\n1: write 2 @2/7..3/7\n");
    assert_eq!(formats::text::read(&text).unwrap(), history);
}

/// Logs hold more than operations.
#[test]
fn what_else_a_log_says_is_passed_over() {
    let log = "INFO  jepsen.core - Worker 0 starting\n\nINFO  jepsen.util - 0\t:invoke\t:write\t1\r\n\
        INFO  jepsen.util - :nemesis\t:info\t:start\tnil\n\
        WARN  jepsen.core - Process 0 is indeterminate\njava.net.SocketTimeoutException: Read timed out\n\
        \tat java.net.SocketInputStream.read(SocketInputStream.java:129)\nCaused by: java.io.IOException: reset\n\
        \t... 12 more\nINFO  jepsen.util - 0\t:info\t:write\t1\tRead timed out\n";
    let history = formats::read(log.as_bytes(), None).unwrap();
    assert_eq!(formats::write(&history, Format::Text).unwrap(), "0: write 1 ? timed-out @0..1/0\n");
}

#[test]
fn conversions_follow_what_the_tools_mean() {
    let edn = "[{:type :invoke, :f :cas, :value [1 2], :process 0}\n{:type :fail, :f :cas, :value [1 2], :process 0}\n\
        {:type :info, :f :start, :process :nemesis}\n{:type :invoke, :f :read, :value nil, :process 1}\n\
        {:type :ok, :f :read, :value 3, :process 1}\n{:type :invoke, :f :write, :value 4, :process 0}\n\
        {:type :info, :f :write, :value 4, :process 0, :error :timeout}]";
    let log = "INFO  jepsen.util - 0\t:invoke\t:cas\t[1 2]\nINFO  jepsen.util - 0\t:fail\t:cas\t[1 2]\n\
        INFO  jepsen.util - 1\t:invoke\t:read\tnil\nINFO  jepsen.util - 1\t:fail\t:read\t:timed-out\n\
        INFO  jepsen.util - 2\t:invoke\t:write\t3\nINFO  jepsen.util - 2\t:info\t:write\t:timed-out\n";
    let kv = "{:process 2, :type :invoke, :f :get, :key \"0\", :value nil}\n{:process 2, :type :ok, :f :get, :key \"0\", :value \"x\"}\n";
    let shown = [edn, log, kv].map(|content| {
        let history = formats::read(content.as_bytes(), None).unwrap();
        formats::write(&history, Format::Text).unwrap()
    });
    insta::assert_snapshot!(shown.join("--\n"));
}

/// As jepsen.tests.long-fork has it.
#[test]
fn what_asks_for_micro_operations_is_a_transaction() {
    let edn = "{:process 0, :type :invoke, :f :write, :value [[:w 0 1]]}\n{:process 0, :type :ok, :f :write, :value [[:w 0 1]]}\n\
        {:process 1, :type :invoke, :f :write, :value [[:w 1 1]]}\n{:process 1, :type :info, :f :write, :value nil, :error :timeout}\n\
        {:process 2, :type :invoke, :f :read, :value [[:r 0 nil] [:r 1 nil]]}\n{:process 3, :type :invoke, :f :read, :value [[:r 1 nil] [:r 0 nil]]}\n\
        {:process 2, :type :ok, :f :read, :value [[:r 0 1] [:r 1 nil]]}\n{:process 3, :type :ok, :f :read, :value [[:r 1 1] [:r 0 nil]]}\n\
        {:process 4, :type :invoke, :f :read, :value [[:r 1 nil]]}\n{:process 4, :type :fail, :f :read}\n";
    let history = formats::read(edn.as_bytes(), None).unwrap();
    let txn = "0: txn [[w 0 1]] -> [[w 0 1]] @0/0..1/0\n1: txn [[w 1 1]] ? timeout @2/0..3/0\n\
        2: txn [[r 0 nil] [r 1 nil]] -> [[r 0 1] [r 1 nil]] @4/0..6/0\n\
        3: txn [[r 1 nil] [r 0 nil]] -> [[r 1 1] [r 0 nil]] @5/0..7/0\n4: txn [[r 1 nil]] ! @8/0..9/0\n";
    assert_eq!(history, formats::text::read(txn).unwrap());
    let json = formats::write(&history, Format::JepsenJson).unwrap();
    assert_eq!(formats::read(json.replace("\"f\":\"txn\"", "\"f\":\"read\"").as_bytes(), None).unwrap(), history);
    let checker = squall_checkers::checker::checker("snapshot-isolation").and_then(|c| (c.build)(None));
    let verdict = checker.expect("in the catalogue").check(&history, &Budget::default());
    assert_eq!(verdict.anomalies().iter().map(|a| a.kind.as_str()).collect::<Vec<_>>(), ["long-fork"]);
}

/// Each key is an object of its own.
#[test]
fn tuples_are_told_from_lists_by_reads_that_ask_for_a_key() {
    let tuples = "{:process 0, :type :invoke, :f :write, :value [1 5]}\n{:process 0, :type :ok, :f :write, :value [1 5]}\n\
        {:process 1, :type :invoke, :f :read, :value [1 nil]}\n{:process 1, :type :ok, :f :read, :value [1 5]}\n\
        {:process 0, :type :invoke, :f :cas, :value [2 [5 6]]}\n{:process 0, :type :info, :f :cas, :value [2 [5 6]]}\n\
        {:process 2, :type :invoke, :f :read, :value [2 nil]}\n";
    let objects = "0: write[1] 5; 1: read[1] -> 5; 0: cas[2] [5 6] ?; 2: read[2] ? \"still open at the end\" @6..";
    let list = "0: write [1 5]; 1: read -> [1 5]; 0: cas [2 [5 6]] ?; 2: read ? \"still open at the end\" @6..";
    let said = |edn: &str| {
        let history = formats::read(edn.as_bytes(), None).unwrap();
        history.entries.into_iter().map(|e| (e.operation, e.outcome)).collect::<Vec<_>>()
    };
    let meant = |text: &str| {
        let history = formats::text::read(text).unwrap();
        history.entries.into_iter().map(|e| (e.operation, e.outcome)).collect::<Vec<_>>()
    };
    assert_eq!(said(tuples), meant(objects));
    assert_eq!(said(&tuples.replace("[1 nil]", "nil").replace("[2 nil]", "nil")), meant(list));
    // One value that is no tuple, one read that asks for nothing, and one that is told of another key.
    assert_eq!(said(&tuples.replace("[2 [5 6]]", "[2 5 6]")), meant(&list.replace("[2 [5 6]]", "[2 5 6]")));
    assert_eq!(said(&tuples.replace("[2 nil]", "nil")), meant(list));
    assert_eq!(
        said(&tuples.replace(":ok, :f :read, :value [1 5]", ":ok, :f :read, :value [2 5]")),
        meant(&list.replace("-> [1 5]", "-> [2 5]"))
    );
}
