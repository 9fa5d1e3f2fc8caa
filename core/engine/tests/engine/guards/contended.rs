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

/// Long before it is left to them: as soon as it waits for its turn.
#[test]
fn an_object_that_is_undone_at_once_says_who_undoes_it_and_when_it_is_put_right_again() {
    let key = ResourceKey::new("", "ConfigMap", "prod", "a");
    let mut run = Rig::new(vec![config("a", 0, "1")]).start(Vec::new());
    run.settle(MINUTE);
    let contended = |run: &Run| {
        let conditions = run.rig.resource["status"]["conditions"].as_array().cloned();
        let mut conditions = conditions.unwrap_or_default().into_iter();
        let found = conditions.find(|condition| condition["type"] == "Contended");
        found.map(|condition| condition["message"].as_str().unwrap().to_owned())
    };
    let mut told = Vec::new();
    for n in 0..6 {
        run.edit(&key, &["data", "v"], json!(format!("theirs {n}")), "operator");
        run.settle(Duration::ZERO);
        told.extend(contended(&run));
        run.settle(MINUTE);
        assert_eq!(contended(&run), None, "it is as desired");
    }
    let last = told.last().unwrap();
    assert!(
        last.starts_with("ConfigMap/prod/a: operator changed data.v; it was put right 5 times in a row and changed again each time; it is put right again at 20"),
        "{told:#?}"
    );
    assert!(told.len() > 2, "{told:#?}");
}
