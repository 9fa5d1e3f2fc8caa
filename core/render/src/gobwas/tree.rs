//! From a pattern to the tree of its matchers.

use super::Node;
use super::matcher::{Branch, Matcher};

/// The matcher of a node.
pub(super) fn compile(node: &Node, separator: Option<char>) -> Matcher {
    let matcher = match node {
        Node::AnyOf(alternatives) => {
            return match without_common_ends(alternatives) {
                Some(node) => compile(&node, separator),
                None => Matcher::AnyOf(compile_all(alternatives, separator)),
            };
        }
        Node::Pattern(parts) if parts.is_empty() => return Matcher::Nothing,
        Node::Pattern(parts) => join(minimized(compile_all(parts, separator))),
        Node::Any => Matcher::Any(separator.into_iter().collect()),
        Node::Super => Matcher::Super,
        Node::Single => Matcher::Single(separator.into_iter().collect()),
        Node::Nothing => Matcher::Nothing,
        Node::List { characters, not } => Matcher::List(characters.clone(), *not),
        Node::Range { low, high, not } => Matcher::Range(*low, *high, *not),
        Node::Text(text) => Matcher::text(text),
    };
    simplified(matcher)
}

fn compile_all(nodes: &[Node], separator: Option<char>) -> Vec<Matcher> {
    nodes.iter().map(|node| simplified(compile(node, separator))).collect()
}

/// A simpler matcher that stands for the same.
fn simplified(matcher: Matcher) -> Matcher {
    match matcher {
        Matcher::Any(separators) if separators.is_empty() => Matcher::Super,
        Matcher::AnyOf(mut alternatives) if alternatives.len() == 1 => alternatives.remove(0),
        Matcher::List(characters, false) if characters.len() == 1 => Matcher::text(&String::from_iter(characters)),
        Matcher::Branch(branch) => simplified_branch(*branch),
        other => other,
    }
}

fn simplified_branch(mut branch: Branch) -> Matcher {
    branch.left = branch.left.map(simplified);
    branch.right = branch.right.map(simplified);
    let Matcher::Text { text, .. } = &branch.value else {
        return Matcher::Branch(Box::new(branch));
    };
    let text = text.clone();
    match (&branch.left, &branch.right) {
        (None, None) => Matcher::text_of(text),
        (Some(Matcher::Super), Some(Matcher::Super)) => Matcher::Contains(text, false),
        (Some(Matcher::Super), None) => Matcher::Suffix(text),
        (None, Some(Matcher::Super)) => Matcher::Prefix(text),
        (None, Some(Matcher::Suffix(suffix))) => Matcher::PrefixSuffix(text, suffix.clone()),
        (Some(Matcher::Prefix(prefix)), None) => Matcher::PrefixSuffix(prefix.clone(), text),
        (Some(Matcher::Any(separators)), None) => Matcher::SuffixAny(text, separators.clone()),
        (None, Some(Matcher::Any(separators))) => Matcher::PrefixAny(text, separators.clone()),
        _ => Matcher::Branch(Box::new(branch)),
    }
}

/// Joins matchers around the longest one whose length is known, the last of several; else around the first.
fn join(mut matchers: Vec<Matcher>) -> Matcher {
    if matchers.len() == 1 {
        return matchers.remove(0);
    }
    if let Some(glued) = glued(&matchers) {
        return glued;
    }
    let lengths = matchers.iter().enumerate();
    let longest = lengths.filter_map(|(at, matcher)| matcher.length().map(|length| (length, at)));
    let at = longest.max().map_or(0, |(_, at)| at);
    let right = matchers.split_off(at + 1);
    let value = matchers.remove(at);
    let part = |matchers: Vec<Matcher>| (!matchers.is_empty()).then(|| join(matchers));
    Matcher::Branch(Box::new(Branch::new(value, part(matchers), part(right))))
}

/// One matcher for several in a row, where there is one.
fn glued(matchers: &[Matcher]) -> Option<Matcher> {
    if matchers.len() < 2 {
        return None;
    }
    glued_as_every(matchers).or_else(|| {
        let lengths = matchers.iter().map(Matcher::length);
        let length = lengths.sum::<Option<usize>>()?;
        Some(Matcher::Row(matchers.to_vec(), length))
    })
}

/// Wildcards that all stop at the same characters.
fn glued_as_every(matchers: &[Matcher]) -> Option<Matcher> {
    let (mut has_any, mut has_super, mut least) = (false, false, 0);
    let mut stops: Option<&[char]> = None;
    for matcher in matchers {
        let stop: &[char] = match matcher {
            Matcher::Super => {
                has_super = true;
                &[]
            }
            Matcher::Any(separators) => {
                has_any = true;
                separators
            }
            Matcher::Single(separators) => {
                least += 1;
                separators
            }
            Matcher::List(characters, true) => {
                least += 1;
                characters
            }
            _ => return None,
        };
        if *stops.get_or_insert(stop) != stop {
            return None;
        }
    }
    let stops = stops.unwrap_or_default();
    Some(match (has_super, has_any, least) {
        (true, false, 0) => Matcher::Super,
        (false, true, 0) => Matcher::Any(stops.to_vec()),
        (true, _, 1..) | (_, true, 1..) if stops.is_empty() => Matcher::Min(least),
        _ => {
            let mut every = Vec::new();
            if least > 0 {
                every.push(Matcher::Min(least));
                if !has_any && !has_super {
                    every.push(Matcher::Max(least));
                }
            }
            if !stops.is_empty() {
                every.push(Matcher::Contains(String::from_iter(stops).into_bytes(), true));
            }
            Matcher::EveryOf(every)
        }
    })
}

/// Glues what can be glued, the longest row first, until nothing can.
fn minimized(matchers: Vec<Matcher>) -> Vec<Matcher> {
    let mut best: Option<(Matcher, usize, usize)> = None;
    for left in 0..matchers.len() {
        for right in (left + 1..=matchers.len()).rev() {
            let Some(found) = glued(&matchers[left..right]) else {
                continue;
            };
            let is_better = best.as_ref().is_none_or(|(known, from, to)| {
                let is_longer = known
                    .length()
                    .zip(found.length())
                    .is_some_and(|(known, found)| found > known);
                is_longer || to - from < right - left
            });
            if is_better {
                best = Some((found, left, right));
            }
        }
    }
    let Some((found, left, right)) = best else {
        return matchers;
    };
    let mut next = matchers;
    next.splice(left..right, [found]);
    minimized(next)
}

/// Alternatives that begin or end alike, with what they have in common outside.
fn without_common_ends(alternatives: &[Node]) -> Option<Node> {
    let patterns: Option<Vec<&[Node]>> = alternatives
        .iter()
        .map(|alternative| match alternative {
            Node::Pattern(parts) => Some(parts.as_slice()),
            _ => None,
        })
        .collect();
    let patterns = patterns?;
    let (left, right) = common_ends(&patterns);
    if left == 0 && right == 0 {
        return None;
    }
    let first = patterns[shortest(&patterns)];
    let mut result = Vec::new();
    if left > 0 {
        result.push(Node::Pattern(first[..left].to_vec()));
    }
    let mut rests = Vec::new();
    for pattern in &patterns {
        let rest = match &pattern[left..pattern.len() - right] {
            [] => Node::Nothing,
            rest => Node::Pattern(rest.to_vec()),
        };
        if !rests.contains(&rest) {
            rests.push(rest);
        }
    }
    match rests.as_slice() {
        [Node::Nothing] => {}
        [_] => result.append(&mut rests),
        _ => result.push(Node::AnyOf(rests)),
    }
    if right > 0 {
        result.push(Node::Pattern(first[first.len() - right..].to_vec()));
    }
    Some(Node::Pattern(result))
}

/// The first of the patterns with the least parts.
fn shortest(patterns: &[&[Node]]) -> usize {
    let lengths = patterns.iter().map(|pattern| pattern.len()).enumerate();
    lengths.min_by_key(|(_, length)| *length).map_or(0, |(at, _)| at)
}

/// How many parts all patterns have in common at their beginnings and at their ends.
fn common_ends(patterns: &[&[Node]]) -> (usize, usize) {
    if patterns.len() < 2 {
        return (0, 0);
    }
    let index = shortest(patterns);
    let shortest = patterns[index];
    let (mut left, mut right) = (0, 0);
    let (mut ends_left, mut ends_right) = (false, false);
    for at in 0..shortest.len() {
        if left + right >= shortest.len() || ends_left && ends_right {
            break;
        }
        let back = shortest.len() - 1 - at;
        for (other, pattern) in patterns.iter().enumerate() {
            if other == index || ends_left && ends_right {
                continue;
            }
            ends_left |= shortest[at] != pattern[at];
            // Both must not take the same part.
            ends_right |= !ends_left && back <= at;
            ends_right |= shortest[back] != pattern[back + pattern.len() - shortest.len()];
        }
        left += usize::from(!ends_left);
        right += usize::from(!ends_right);
    }
    (left, right)
}
