//! How lanes are divided among the nodes: by what waits for their endpoints.
//!
//! A free lane goes to the node with the least to do, the heaviest lane first. A node hands a lane over if that
//! makes it and the node with the least to do more even. So each change makes the division better, and there is
//! an end to changing.

use std::collections::HashMap;

use crate::model::id::EndpointId;

/// So many pending deliveries weigh as much as a lane itself.
const PENDING_A_LANE: i64 = 1_000;

/// What each lane weighs, and what the other nodes have to do.
#[derive(Debug)]
pub(super) struct Balance {
    weights: HashMap<EndpointId, i64>,
    others: HashMap<i64, i64>,
}

impl Balance {
    /// `pending` has the endpoints and how much waits for each; `others` the other nodes that live, `held` their
    /// lanes.
    pub(super) fn new(
        pending: Vec<(EndpointId, i64)>,
        others: Vec<i64>,
        held: Vec<(i64, EndpointId)>,
    ) -> Balance {
        let weight = |pending: i64| 1 + pending.max(0) / PENDING_A_LANE;
        let mut balance = Balance {
            weights: pending
                .into_iter()
                .map(|(endpoint, pending)| (endpoint, weight(pending)))
                .collect(),
            others: others.into_iter().map(|node| (node, 0)).collect(),
        };
        for (node, lane) in held {
            let weight = balance.weight(lane);
            if let Some(load) = balance.others.get_mut(&node) {
                *load += weight;
            }
        }
        balance
    }

    /// A lane of an endpoint that was removed weighs nothing.
    fn weight(&self, lane: EndpointId) -> i64 {
        self.weights.get(&lane).copied().unwrap_or(0)
    }

    /// Lanes from the lightest to the heaviest, and what they weigh in all.
    fn sorted(&self, lanes: impl IntoIterator<Item = EndpointId>) -> (Vec<(i64, EndpointId)>, i64) {
        let weighed = lanes.into_iter().map(|lane| (self.weight(lane), lane));
        let mut sorted: Vec<(i64, EndpointId)> = weighed.collect();
        sorted.sort_unstable();
        let all = sorted.iter().map(|(weight, _)| weight).sum();
        (sorted, all)
    }

    /// Which free lanes a node takes that has these.
    pub(super) fn to_take(
        &self,
        own: impl IntoIterator<Item = EndpointId>,
        free: Vec<EndpointId>,
    ) -> Vec<EndpointId> {
        let (_, mut load) = self.sorted(own);
        let (free, _) = self.sorted(free);
        let mut others: Vec<i64> = self.others.values().copied().collect();
        let mut taken = Vec::new();
        for (weight, lane) in free.into_iter().rev() {
            match others.iter_mut().min().filter(|least| **least < load) {
                Some(least) => *least += weight,
                None => {
                    load += weight;
                    taken.push(lane);
                }
            }
        }
        taken
    }

    /// Which of its lanes a node hands over.
    pub(super) fn to_give(&self, own: impl IntoIterator<Item = EndpointId>) -> Vec<EndpointId> {
        let (own, mut load) = self.sorted(own);
        let mut others: Vec<i64> = self.others.values().copied().collect();
        let mut given = Vec::new();
        for (weight, lane) in own {
            if let Some(least) = others.iter_mut().min()
                && weight > 0
                && weight < load - *least
            {
                load -= weight;
                *least += weight;
                given.push(lane);
            }
        }
        given
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lanes(ids: &[i64]) -> Vec<EndpointId> {
        ids.iter().copied().map(EndpointId).collect()
    }

    /// Lets nodes take and give until nobody does; returns what each has in the end. At first one of them is alone.
    fn settled(pending: &[i64], nodes: usize) -> Vec<Vec<i64>> {
        let of_lanes: Vec<(EndpointId, i64)> =
            (1..).map(EndpointId).zip(pending.iter().copied()).collect();
        let mut own = vec![Vec::new(); nodes];
        own[0] = of_lanes.iter().map(|(lane, _)| *lane).collect();
        let mut free: Vec<EndpointId> = Vec::new();
        for _ in 0..40 {
            let before = own.clone();
            for node in 0..nodes {
                let others = (0..nodes).filter(|other| *other != node);
                let held = others.clone().flat_map(|other| {
                    let of_node = |lane: &EndpointId| (other as i64, *lane);
                    own[other].iter().map(of_node).collect::<Vec<_>>()
                });
                let others = others.clone().map(|other| other as i64).collect();
                let balance = Balance::new(of_lanes.clone(), others, held.collect());
                let takes = balance.to_take(own[node].iter().copied(), free.clone());
                free.retain(|lane| !takes.contains(lane));
                own[node].extend(takes);
                let gives = balance.to_give(own[node].iter().copied());
                own[node].retain(|lane| !gives.contains(lane));
                free.extend(gives);
            }
            if own == before && free.is_empty() {
                for node in &mut own {
                    node.sort_unstable();
                }
                let ids = |node: &Vec<EndpointId>| node.iter().map(|lane| lane.0).collect();
                return own.iter().map(ids).collect();
            }
        }
        panic!("they never rest: {own:?} {free:?}");
    }

    #[test]
    fn lanes_without_a_backlog_are_divided_by_their_number() {
        let sizes = |pending: &[i64], nodes| -> Vec<usize> {
            let mut sizes: Vec<usize> = settled(pending, nodes).iter().map(Vec::len).collect();
            sizes.sort_unstable();
            sizes
        };
        assert_eq!(sizes(&[0; 6], 3), [2, 2, 2]);
        assert_eq!(sizes(&[0; 7], 3), [2, 2, 3]);
        assert_eq!(sizes(&[0; 2], 3), [0, 1, 1]);
        assert_eq!(sizes(&[999; 4], 2), [2, 2]);
        assert_eq!(sizes(&[], 2), [0, 0]);
        assert_eq!(sizes(&[100_000], 3), [0, 0, 1]);
    }

    #[test]
    fn a_node_with_a_long_backlog_has_little_else_and_nobody_goes_on_changing() {
        assert_eq!(settled(&[0, 0, 100_000, 0], 2), [vec![3], vec![1, 2, 4]]);
        let two_hot = settled(&[50_000, 0, 50_000, 0], 2);
        assert!(two_hot.iter().all(|node| node.len() == 2), "{two_hot:?}");
        assert!(
            two_hot
                .iter()
                .all(|node| node.contains(&1) != node.contains(&3))
        );
        let mut random = fastrand::Rng::with_seed(7);
        for _ in 0..500 {
            let lanes = random.usize(0..20);
            let pending: Vec<i64> = (0..lanes).map(|_| random.i64(0..30_000)).collect();
            let nodes = random.usize(1..6);
            assert_eq!(settled(&pending, nodes).concat().len(), lanes);
        }
    }

    #[test]
    fn a_lane_of_an_endpoint_that_was_removed_weighs_nothing() {
        let pending = vec![(EndpointId(1), 0), (EndpointId(2), 0)];
        let balance = Balance::new(pending, vec![8], vec![(8, EndpointId(5))]);
        assert_eq!(balance.to_give(lanes(&[1, 3, 4])), []);
        assert_eq!(balance.to_give(lanes(&[1, 2, 3])), lanes(&[1]));
        assert_eq!(balance.to_take(lanes(&[3]), lanes(&[1, 2])), lanes(&[2]));
    }
}
