//! Two who want different things of one field.

use super::*;

fn fight(run: &mut Run, times: usize) {
    let key = ResourceKey::new("", "ConfigMap", "prod", "a");
    for n in 0..times {
        run.edit(&key, &["data", "v"], json!(format!("theirs {n}")), "operator");
        run.settle(Duration::from_secs(1));
        run.rig.now = run.rig.now + Duration::from_secs(301);
        run.handle_timeout();
        run.settle(Duration::from_secs(1));
    }
}

fn repairs(run: &Run) -> usize {
    run.journal()
        .matches("drift ConfigMap/prod/a: OutOfSync → Applying")
        .count()
}

#[test]
pub(crate) fn a_field_that_somebody_keeps_changing_is_left_to_them_and_they_are_named() {
    for settings in [Settings::default(), argo()] {
        let mut run = Rig::new(vec![config("a", 0, "1")]).start_with(settings, Vec::new());
        run.settle(MINUTE);
        fight(&mut run, 14);
        assert_eq!(repairs(&run), 10, "{}", run.journal());
        let conditions = run.rig.resource["status"]["conditions"].to_string();
        assert!(
            conditions.contains("Contended") && conditions.contains("data.v is left to operator"),
            "{conditions}"
        );
        sync_by_hand(&mut run);
        assert_settled(&run, 1);
        assert_eq!(run.rig.cluster.objects.values().next().unwrap()["data"]["v"], "1");
    }
}
