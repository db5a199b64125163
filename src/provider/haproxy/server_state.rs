//! What HAProxy's runtime interface says about its servers.

use std::collections::BTreeMap;

use crate::provider::Member;

/// Bits of `srv_admin_state`: taken out by somebody (drain, or maintenance by hand), or not there at all (its name does
/// not resolve).
const DRAINED: u32 = 0x01 | 0x08 | 0x10;
const MAINTENANCE: u32 = 0x01 | 0x02 | 0x04 | 0x20;
/// A value of `srv_op_state`.
const RUNNING: &str = "2";

/// Merges the answers to `show servers state` and `show stat`. The status in the latter says `DOWN` of a drained
/// server that is down, and so hides that it is drained.
pub(crate) fn members(state: &str, stat: &str) -> BTreeMap<String, Member> {
    let connections = connections(stat);
    table(state, words, |field| {
        let name = field("srv_name")?;
        let admin: u32 = field("srv_admin_state")?.parse().ok()?;
        let running = field("srv_op_state")? == RUNNING;
        let member = Member {
            drained: admin & DRAINED != 0,
            up: running && admin & MAINTENANCE == 0,
            connections: Some(connections.get(name).copied().unwrap_or_default()),
        };
        Some((name.to_owned(), member))
    })
}

/// Where each server is, by its name: address and port, as `show servers state` says.
pub(super) fn addresses(state: &str) -> BTreeMap<String, (String, u16)> {
    table(state, words, |field| {
        let port = field("srv_port")?.parse().ok()?;
        Some((field("srv_name")?.to_owned(), (field("srv_addr")?.to_owned(), port)))
    })
}

/// Sessions of each server, those that wait for it included.
fn connections(stat: &str) -> BTreeMap<&str, u32> {
    let cells = |line| str::split(line, ',').collect();
    table(stat, cells, |field| {
        let count = |column| field(column).and_then(|field| field.parse().ok()).unwrap_or(0);
        Some((field("svname")?, count("scur") + count("qcur")))
    })
}

fn words(line: &str) -> Vec<&str> {
    line.split_whitespace().collect()
}

/// Reads the rows of an answer whose line of column names begins with `# `. Fields are found by the name of their
/// column, since their order differs between versions; an empty one is none.
fn table<'a, K: Ord, V>(
    answer: &'a str,
    split: impl Fn(&'a str) -> Vec<&'a str>,
    row: impl Fn(&dyn Fn(&str) -> Option<&'a str>) -> Option<(K, V)>,
) -> BTreeMap<K, V> {
    let mut lines = answer.lines().map(str::trim);
    let Some(names) = lines.by_ref().find_map(|line| line.strip_prefix("# ")) else {
        return BTreeMap::new();
    };
    let columns = split(names);
    lines
        .filter_map(|line| {
            let fields = split(line);
            row(&|column| {
                let place = columns.iter().position(|name| *name == column)?;
                fields.get(place).copied().filter(|field| !field.is_empty())
            })
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const STATE: &str = "1
# be_id be_name srv_id srv_name srv_addr srv_op_state srv_admin_state srv_uweight
3 hosts 1 tasks-1 172.18.0.2 2 0 1
3 hosts 2 tasks-2 172.18.0.3 2 8 1
3 hosts 3 tasks-3 172.18.0.4 0 8 1
3 hosts 4 tasks-4 - 0 32 1
";
    const STAT: &str = "# pxname,svname,qcur,qmax,scur,smax,slim,status
hosts,tasks-1,1,0,4,9,,UP
hosts,tasks-2,0,0,2,9,,DRAIN
hosts,tasks-3,0,0,0,9,,DOWN
hosts,tasks-4,,,,,,MAINT (resolution)
";

    #[test]
    fn both_answers_make_the_members() {
        let member = |drained, up, connections| Member { drained, up, connections: Some(connections) };
        let expected = BTreeMap::from([
            ("tasks-1".to_owned(), member(false, true, 5)),
            ("tasks-2".to_owned(), member(true, true, 2)),
            ("tasks-3".to_owned(), member(true, false, 0)),
            ("tasks-4".to_owned(), member(false, false, 0)),
        ]);
        assert_eq!(members(STATE, STAT), expected);
    }

    #[test]
    fn no_servers_are_no_members() {
        assert!(members("1\n# be_id be_name srv_id srv_name\n", "").is_empty());
        assert!(members("", "").is_empty());
    }
}
