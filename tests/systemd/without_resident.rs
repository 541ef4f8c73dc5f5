//! The timer and its service in a booted systemd.

use serde_json::json;

use crate::boot::booted;
use crate::installed::{install, journal, property_of, start, systemctl};
use crate::units::{ONCE, TIMER};

#[test]
#[ignore = "boots systemd: .ci/run runs it"]
fn each_look_does_what_is_due_and_the_resident_service_goes_on_from_there() {
    booted("without_resident::each_look_does_what_is_due_and_the_resident_service_goes_on_from_there", || {
        let installed = install();
        installed.emulator.fault_always("svc-batch", &json!({ "5xx-after": 500 }));
        systemctl(&format!("start {ONCE}"));
        assert_eq!(
            (property_of(ONCE, "Result").as_str(), property_of(ONCE, "ExecMainStatus").as_str()),
            ("success", "75")
        );
        installed.has("df001", 1);

        installed.emulator.clear_faults();
        systemctl(&format!("start {ONCE}"));
        assert_eq!(property_of(ONCE, "ExecMainStatus"), "0", "{}", journal(&[]));
        let batch = installed.emulator.account("svc-batch").changes;
        installed.has("svc-batch", batch);
        assert_eq!(installed.emulator.passwords_tried("svc-batch"), 1);

        systemctl(&format!("enable --now {TIMER}"));
        assert_eq!(property_of(TIMER, "ActiveState"), "active");
        assert_ne!(property_of(TIMER, "NextElapseUSecRealtime"), "");
        systemctl(&format!("disable --now {TIMER}"));

        let sends = installed.emulator.sends().len();
        start();
        assert_eq!(installed.emulator.sends().len(), sends);
        installed.has("df001", 1);
    });
}
