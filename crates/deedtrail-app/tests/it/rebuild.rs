//! Rebuilds that are asked for while another goes on.

use deedtrail_app::App;
use deedtrail_app::pipeline::{REBUILDING, Worker};
use deedtrail_core::port::archive::Archive as _;
use deedtrail_core::port::store::Store as _;
use deedtrail_testkit::sample::Sample;

use crate::installation::{delete_object, pipeline, ports};

#[test]
fn who_asks_for_a_rebuild_while_one_goes_on_is_told_when_it_is_done() {
    let sample = Sample::empty();
    let app = App::new(ports(&sample));
    for who in 0..40 {
        for minute in 0..50 {
            delete_object(&app, &format!("user-{who}"), "bucket", minute);
        }
    }
    sample
        .store
        .put_setting(REBUILDING, "2026-11-18T08:00:00Z")
        .unwrap();
    let worker = Worker::start(pipeline(&sample), &app.processing).unwrap();
    std::thread::scope(|scope| {
        let asked = [(); 3].map(|()| scope.spawn(|| worker.rebuild()));
        for one in asked {
            one.join().unwrap().unwrap();
        }
    });
    let figures = sample.archive.figures();
    assert_eq!(figures.rows + figures.hot_rows, 2_000);
    assert_eq!(
        sample.store.setting(REBUILDING).unwrap().as_deref(),
        Some("")
    );
    worker.stop().unwrap();
}
