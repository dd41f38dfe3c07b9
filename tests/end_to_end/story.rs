//! `just demo`: what somebody who comes here sees first must work.

use std::process::Command;

use crate::support::rs::binary;

#[test]
fn the_demo_tells_its_story_to_the_end_and_leaves_a_picture() {
    let here = tempfile::tempdir().expect("a temporary folder");
    let demo = binary().parent().map(|built| built.join("examples/demo")).expect("programs are in a folder");
    let told = Command::new(demo).current_dir(here.path()).env_remove("DISPLAY").output().expect("examples are built for tests");
    let (story, complaint) = (String::from_utf8_lossy(&told.stdout), String::from_utf8_lossy(&told.stderr));
    assert!(told.status.success(), "{story}{complaint}");
    assert!(here.path().join("demo-out/demo.png").is_file(), "{story}");
}
