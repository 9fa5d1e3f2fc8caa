//! The rules, each alone and all of them against an oracle that is asked about one object at a time.

use proptest::prelude::*;

use super::*;

fn key(kind: &str, name: &str) -> ResourceKey {
    let group = if kind == "CustomResourceDefinition" {
        "apiextensions.k8s.io"
    } else {
        ""
    };
    ResourceKey::new(group, kind, "", name)
}

/// A plan and what is known of it, by value.
#[derive(Clone, Debug)]
struct World {
    doomed: BTreeMap<ResourceKey, Doomed>,
    kept: usize,
    by_person: bool,
    as_argo: bool,
    limits: PruneLimits,
    protected: Vec<GroupKind>,
    second: Option<Result<BTreeSet<ResourceKey>, String>>,
    flags: [bool; 3],
    in_use: BTreeMap<ResourceKey, (String, Rule, String)>,
    standing: BTreeMap<Rule, String>,
}

impl World {
    fn find(&self) -> Vec<Finding> {
        let flag = |at: usize| self.flags[at].then(|| "because".to_owned());
        findings(&Facts {
            doomed: &self.doomed,
            tracked: self.doomed.len() + self.kept,
            by_person: self.by_person,
            as_argo: self.as_argo,
            limits: self.limits,
            protected: &self.protected,
            second: self.second.as_ref().map(|second| second.as_ref().map_err(Clone::clone)),
            diverged: flag(0),
            replaced: flag(1),
            paused: flag(2),
            in_use: &self.in_use,
            standing: &self.standing,
        })
    }
}

/// May this object be deleted now? Written from the rules' words, one object at a time.
fn may_be_deleted(world: &World, key: &ResourceKey) -> bool {
    let doomed = &world.doomed[key];
    let [diverged, replaced, paused] = world.flags;
    let used_by = |rule: Rule| {
        let known = world.in_use.get(key);
        known.is_some_and(|(uid, of, _)| *of == rule && *uid == doomed.uid)
    };
    if replaced || used_by(Rule::DefinitionInUse) {
        return false;
    }
    if world.by_person {
        return true;
    }
    let second_says_declared = match &world.second {
        None => false,
        Some(Err(_)) => true,
        Some(Ok(declared)) => {
            let mut doomed = world.doomed.iter();
            doomed.any(|(key, doomed)| declared.contains(key) && !doomed.becomes_hook)
        }
    };
    if paused || second_says_declared || used_by(Rule::NamespaceInUse) {
        return false;
    }
    if world.as_argo {
        return true;
    }
    let (n, all) = (world.doomed.len(), world.doomed.len() + world.kept);
    #[expect(clippy::cast_precision_loss, reason = "small numbers")]
    let part = 100.0 * n as f64 / all as f64;
    let too_much = match world.limits {
        PruneLimits::Default { .. } => n >= 10 && part > 50.0,
        PruneLimits::Set { percentage, count } => {
            percentage.is_some_and(|most| part > f64::from(most)) || count.is_some_and(|most| n > most as usize)
        }
    };
    let stands = world
        .standing
        .keys()
        .any(|rule| matches!(rule, Rule::RewrittenHistory) || *rule == Rule::MassPrune(world.limits));
    let precious = [
        "Namespace",
        "PersistentVolumeClaim",
        "PersistentVolume",
        "CustomResourceDefinition",
    ];
    let is_precious = precious.contains(&key.kind.as_str()) || world.protected.iter().any(|kind| kind.kind == key.kind);
    !(too_much || stands || diverged || is_precious && !doomed.is_released)
}

fn limits() -> impl Strategy<Value = PruneLimits> {
    let set = (proptest::option::of(0u8..=100), proptest::option::of(0u32..20));
    prop_oneof![
        Just(PruneLimits::DEFAULT),
        set.prop_map(|(percentage, count)| match (percentage, count) {
            (None, None) => PruneLimits::DEFAULT,
            (percentage, count) => PruneLimits::Set { percentage, count },
        })
    ]
}

fn keys() -> impl Strategy<Value = ResourceKey> {
    let kinds = [
        "ConfigMap",
        "Secret",
        "Namespace",
        "CustomResourceDefinition",
        "PersistentVolumeClaim",
    ];
    (proptest::sample::select(kinds.to_vec()), 0u8..9).prop_map(|(kind, name)| key(kind, &format!("n{name}")))
}

fn doomed() -> impl Strategy<Value = BTreeMap<ResourceKey, Doomed>> {
    proptest::collection::btree_map(keys(), any::<(bool, bool)>(), 0..25).prop_map(|all| {
        let doomed = |(key, (is_released, becomes_hook)): (ResourceKey, (bool, bool))| {
            let uid = format!("uid-{key}");
            let doomed = Doomed {
                uid,
                is_released,
                becomes_hook,
            };
            (key, doomed)
        };
        all.into_iter().map(doomed).collect()
    })
}

fn in_use() -> impl Strategy<Value = BTreeMap<ResourceKey, (String, Rule, String)>> {
    let rare = || prop::bool::weighted(0.15);
    proptest::collection::vec((keys(), rare(), rare()), 0..3).prop_map(|all| {
        let used = |(key, of_namespace, is_other): (ResourceKey, bool, bool)| {
            let rule = match of_namespace {
                true => Rule::NamespaceInUse,
                false => Rule::DefinitionInUse,
            };
            let uid = match is_other {
                true => "another".to_owned(),
                false => format!("uid-{key}"),
            };
            (key, (uid, rule, "in use".to_owned()))
        };
        all.into_iter().map(used).collect()
    })
}

fn world() -> impl Strategy<Value = World> {
    let rare = || prop::bool::weighted(0.15);
    let second = prop_oneof![
        1 => Just(None),
        6 => proptest::collection::btree_set(keys(), 0..2).prop_map(|declared| Some(Ok(declared))),
        1 => Just(Some(Err("not reachable".to_owned()))),
    ];
    let flags = (rare(), rare(), rare());
    let standing = (rare(), rare());
    let who = (any::<bool>(), rare(), any::<bool>());
    (doomed(), 0usize..40, limits(), second, in_use(), flags, standing, who).prop_map(
        |(doomed, kept, limits, second, in_use, flags, standing, (by_person, as_argo, protects_secrets))| {
            let rules = [
                standing.0.then_some(Rule::MassPrune(limits)),
                standing.1.then_some(Rule::RewrittenHistory),
            ];
            World {
                doomed,
                kept,
                by_person,
                as_argo,
                limits,
                protected: protects_secrets
                    .then(|| GroupKind::new("", "Secret"))
                    .into_iter()
                    .collect(),
                second,
                flags: [flags.0, flags.1, flags.2],
                in_use,
                standing: rules
                    .into_iter()
                    .flatten()
                    .map(|rule| (rule, "as before".to_owned()))
                    .collect(),
            }
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    /// Exactly what the oracle would not delete is held by some rule.
    #[test]
    fn the_rules_hold_what_the_oracle_would_not_delete(world in world()) {
        let findings = world.find();
        for key in world.doomed.keys() {
            let is_held = findings.iter().any(|finding| finding.keys.contains(key));
            prop_assert_eq!(!is_held, may_be_deleted(&world, key), "{}: {:?}", key, findings);
        }
    }

    /// What holds names only what would be deleted, in order and once; nothing to delete is nothing to hold.
    #[test]
    fn holds_are_of_the_plan(world in world()) {
        let findings = world.find();
        prop_assert!(!world.doomed.is_empty() || findings.is_empty());
        for finding in findings {
            prop_assert!(!finding.keys.is_empty() && !finding.why.is_empty());
            prop_assert!(finding.keys.is_sorted() && finding.keys.iter().all(|key| world.doomed.contains_key(key)));
        }
    }
}

fn calm(names: &[ResourceKey]) -> World {
    let doomed = |key: &ResourceKey| {
        let uid = format!("uid-{key}");
        (
            key.clone(),
            Doomed {
                uid,
                ..Doomed::default()
            },
        )
    };
    World {
        doomed: names.iter().map(doomed).collect(),
        kept: 100,
        by_person: false,
        as_argo: false,
        limits: PruneLimits::DEFAULT,
        protected: Vec::new(),
        second: Some(Ok(BTreeSet::new())),
        flags: [false; 3],
        in_use: BTreeMap::new(),
        standing: BTreeMap::new(),
    }
}

/// Each rule by itself: what it holds, whether a person's sync and Argo CD's guards pass it.
#[test]
fn every_rule_alone() {
    let (map, namespace) = (key("ConfigMap", "a"), key("Namespace", "n"));
    let base = calm(&[map.clone(), namespace.clone()]);
    assert_eq!(calm(std::slice::from_ref(&map)).find(), [], "nothing is the matter");
    let used = |rule: Rule| {
        let uid = format!("uid-{namespace}");
        BTreeMap::from([(namespace.clone(), (uid, rule, "2 objects".to_owned()))])
    };
    let limits = PruneLimits::Set {
        percentage: None,
        count: Some(1),
    };
    #[rustfmt::skip]
    let cases = [
        (World { flags: [true, false, false], ..base.clone() }, Rule::RewrittenHistory, 2, false, false),
        (World { flags: [false, true, false], ..base.clone() }, Rule::DestinationReplaced, 2, true, true),
        (World { flags: [false, false, true], ..base.clone() }, Rule::DeletesPaused, 2, false, true),
        (World { limits, ..base.clone() }, Rule::MassPrune(limits), 2, false, false),
        (World { standing: BTreeMap::from([(Rule::RewrittenHistory, "as before".into())]), ..base.clone() }, Rule::RewrittenHistory, 2, false, false),
        (World { second: Some(Ok(BTreeSet::from([map]))), ..base.clone() }, Rule::NonDeterministicRender, 2, false, true),
        (World { second: Some(Err("no".into())), ..base.clone() }, Rule::NonDeterministicRender, 2, false, true),
        (base.clone(), Rule::ProtectedKind, 1, false, false),
        (World { in_use: used(Rule::NamespaceInUse), ..base.clone() }, Rule::NamespaceInUse, 1, false, true),
        (World { in_use: used(Rule::DefinitionInUse), ..base.clone() }, Rule::DefinitionInUse, 1, true, true),
    ];
    for (world, rule, count, binds_people, binds_argo) in cases {
        let found = |world: &World| world.find().into_iter().find(|finding| finding.rule == rule);
        assert_eq!(found(&world).map(|finding| finding.keys.len()), Some(count), "{rule}");
        let by_person = World {
            by_person: true,
            ..world.clone()
        };
        assert_eq!(
            found(&by_person).is_some(),
            binds_people,
            "{rule}, asked for by a person"
        );
        let as_argo = World {
            as_argo: true,
            ..world.clone()
        };
        assert_eq!(found(&as_argo).is_some(), binds_argo, "{rule}, with guards: argo");
    }
}
