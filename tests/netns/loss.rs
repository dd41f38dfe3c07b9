//! A lossy internet.

use super::{
    lab::{Lab, wanted},
    nat::Kind,
    session::{Way, way_through},
};

#[test]
fn three_percent_loss_does_not_keep_two_cones_apart() {
    if !wanted() {
        return;
    }
    let mut lab = Lab::new(Kind::Cone, Kind::Cone);
    let drops = "type filter hook forward priority filter; numgen random mod 100 < 3 drop;";
    lab.internet.filter(&format!("table inet loss {{ chain through {{ {drops} }}; }}"));
    // Which of both punches gets through is chance.
    let way = way_through(&mut lab, Way::Direct);
    assert!(matches!(way, Way::Direct | Way::DirectTcp), "{way:?}");
}
