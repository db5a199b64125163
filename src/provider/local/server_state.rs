//! What HAProxy's runtime interface says about its servers.

use std::collections::BTreeMap;

use crate::provider::Member;

/// Bits of `srv_admin_state`: taken out by somebody, or not there at all (its name does not resolve).
const DRAINED: u32 = 0x08 | 0x10;
const MAINTENANCE: u32 = 0x01 | 0x02 | 0x04 | 0x20;
/// A value of `srv_op_state`.
const RUNNING: &str = "2";

/// Merges the answers to `show servers state` and `show stat`. The status in the latter says `DOWN` of a drained
/// server that is down, and so hides that it is drained.
pub(super) fn members(state: &str, stat: &str) -> BTreeMap<String, Member> {
    let connections = connections(stat);
    let mut lines = state.lines().map(str::trim);
    let Some(columns) = lines.by_ref().find_map(|line| line.strip_prefix("# ")) else {
        return BTreeMap::new();
    };
    let columns = Columns::new(columns.split_whitespace());
    lines
        .filter_map(|line| {
            let fields: Vec<_> = line.split_whitespace().collect();
            let name = columns.get(&fields, "srv_name")?;
            let admin: u32 = columns.get(&fields, "srv_admin_state")?.parse().ok()?;
            let running = columns.get(&fields, "srv_op_state")? == RUNNING;
            let member = Member {
                drained: admin & DRAINED != 0,
                up: running && admin & MAINTENANCE == 0,
                connections: connections.get(name).copied().unwrap_or_default(),
            };
            Some((name.to_owned(), member))
        })
        .collect()
}

/// Sessions of each server, those that wait for it included.
fn connections(stat: &str) -> BTreeMap<&str, u32> {
    let mut lines = stat.lines().map(str::trim);
    let Some(columns) = lines.by_ref().find_map(|line| line.strip_prefix("# ")) else {
        return BTreeMap::new();
    };
    let columns = Columns::new(columns.split(','));
    lines
        .filter_map(|line| {
            let fields: Vec<_> = line.split(',').collect();
            let count =
                |column| columns.get(&fields, column).and_then(|field| field.parse().ok()).unwrap_or(0);
            Some((columns.get(&fields, "svname")?, count("scur") + count("qcur")))
        })
        .collect()
}

/// Finds fields by the name of their column: their order differs between versions.
struct Columns<'a>(Vec<&'a str>);

impl<'a> Columns<'a> {
    fn new(names: impl Iterator<Item = &'a str>) -> Self {
        Self(names.collect())
    }

    fn get<'b>(&self, fields: &[&'b str], column: &str) -> Option<&'b str> {
        let place = self.0.iter().position(|name| *name == column)?;
        fields.get(place).copied().filter(|field| !field.is_empty())
    }
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
        let member = |drained, up, connections| Member { drained, up, connections };
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
