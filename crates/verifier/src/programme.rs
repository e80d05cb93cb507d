//! Non-negativity by linear programmes: how far a withheld number can go, where sums go round in circles.

use std::collections::BTreeMap;

use microlp::{ComparisonOp, OptimizationDirection, Problem, Solution, Variable};
use rayon::prelude::*;

use crate::{
    bounds::{Bounds, Contradiction, propagate},
    incidence::{Incidence, Sum},
};

/// What linear programmes tell beyond intervals.
#[derive(Clone, Debug, Default)]
pub struct Solved {
    /// Bounds of every column. Those of a withheld column are exact where it cannot reach k, or cannot be two numbers;
    /// elsewhere they are those of the intervals, for more was not asked.
    pub bounds: Vec<Bounds>,
    /// How many programmes were solved.
    pub programmes: u64,
    /// How many could not be; what they asked is left as the intervals have it.
    pub unsolved: u64,
}

/// How far off an integer the solver may be.
const TOLERANCE: f64 = 1e-5;

/// Asks of every withheld column whether it can hold `k` devices and whether it can hold two different numbers, given
/// what is `known`; where not, how many it can hold at most and at least.
///
/// Counts need not be whole in a linear programme, so what is shown here holds, and what is not may still be true.
///
/// # Errors
/// When no table of counts has these numbers.
///
/// # Panics
/// When `known` does not have one entry for each column.
pub fn solved(incidence: &Incidence, known: &[Option<Bounds>], k: u64) -> Result<Solved, Contradiction> {
    let mut all = propagate(incidence, known)?;
    let components = components(incidence, &all);
    let answers: Vec<Answer> = components
        .par_iter()
        .map(|component| {
            let is_wanted = |variable: &u32| {
                let column = (*variable as usize).checked_sub(incidence.atoms());
                column.is_some_and(|column| known[column].is_none())
            };
            let wanted: Vec<u32> = component.variables.iter().copied().filter(is_wanted).collect();
            Question::about(component, &all, k).ask(&wanted)
        })
        .collect();
    let mut solved = Solved::default();
    for (component, answer) in components.iter().zip(answers) {
        for (variable, bounds) in component.variables.iter().zip(answer.bounds) {
            all[*variable as usize] = bounds;
        }
        solved.programmes += answer.programmes;
        solved.unsolved += answer.unsolved;
    }
    solved.bounds = all[incidence.atoms()..].to_vec();
    Ok(solved)
}

/// Unknowns that are tied to each other by sums, and to no others.
struct Component<'a> {
    variables: Vec<u32>,
    sums: Vec<&'a Sum>,
}

fn components<'a>(incidence: &'a Incidence, bounds: &[Bounds]) -> Vec<Component<'a>> {
    let mut above: Vec<u32> = (0..incidence.variables()).map(crate::incidence::index).collect();
    let unknowns = |sum: &'a Sum| {
        let all = sum.parts.iter().chain([&sum.whole]).copied();
        all.filter(|variable| bounds[*variable as usize].pinned().is_none())
    };
    for sum in incidence.defining_sums() {
        let mut unknowns = unknowns(sum);
        let Some(first) = unknowns.next() else { continue };
        for other in unknowns {
            let (a, b) = (root(&mut above, first), root(&mut above, other));
            above[a as usize] = b;
        }
    }
    let mut found: BTreeMap<u32, Component<'a>> = BTreeMap::new();
    for variable in (0..incidence.variables()).filter(|variable| bounds[*variable].pinned().is_none()) {
        let variable = crate::incidence::index(variable);
        let component = found.entry(root(&mut above, variable));
        component
            .or_insert_with(|| Component { variables: Vec::new(), sums: Vec::new() })
            .variables
            .push(variable);
    }
    for sum in incidence.defining_sums() {
        if let Some(first) = unknowns(sum).next()
            && let Some(component) = found.get_mut(&root(&mut above, first))
        {
            component.sums.push(sum);
        }
    }
    found.into_values().collect()
}

fn root(above: &mut [u32], mut of: u32) -> u32 {
    while above[of as usize] != of {
        above[of as usize] = above[above[of as usize] as usize];
        of = above[of as usize];
    }
    of
}

/// What the solutions so far have shown a column to hold.
#[derive(Clone, Copy)]
struct Shown {
    least: f64,
    most: f64,
}

/// What one component can be told.
struct Answer {
    /// In the order of its variables.
    bounds: Vec<Bounds>,
    programmes: u64,
    unsolved: u64,
}

struct Question<'a> {
    component: &'a Component<'a>,
    /// Of all variables, as the intervals have them.
    all: &'a [Bounds],
    k: u64,
    answer: Answer,
}

impl<'a> Question<'a> {
    fn about(component: &'a Component<'a>, all: &'a [Bounds], k: u64) -> Self {
        let bounds = component.variables.iter().map(|variable| all[*variable as usize]).collect();
        Self { component, all, k, answer: Answer { bounds, programmes: 0, unsolved: 0 } }
    }

    fn ask(mut self, wanted: &[u32]) -> Answer {
        if wanted.is_empty() {
            return self.answer;
        }
        let mut shown = vec![Shown { least: f64::INFINITY, most: f64::NEG_INFINITY }; wanted.len()];
        self.reach_k_together(wanted, &mut shown);
        let k = real(self.k) - TOLERANCE;
        let reaches = move |shown: Shown| shown.most >= k;
        let varies = |shown: Shown| shown.most - shown.least > 1.0 - TOLERANCE;
        self.one_by_one(wanted, &mut shown, OptimizationDirection::Maximize, |shown| !reaches(shown));
        let open = |shown| !reaches(shown) || !varies(shown);
        self.one_by_one(wanted, &mut shown, OptimizationDirection::Minimize, open);
        let open = |shown| reaches(shown) && !varies(shown);
        self.one_by_one(wanted, &mut shown, OptimizationDirection::Maximize, open);
        self.answer
    }

    /// One programme that lifts all columns at once as far as k answers for most of them.
    fn reach_k_together(&mut self, wanted: &[u32], shown: &mut [Shown]) {
        loop {
            let below: Vec<u32> = wanted
                .iter()
                .zip(&*shown)
                .filter(|(_, shown)| shown.most < real(self.k) - TOLERANCE)
                .map(|(variable, _)| *variable)
                .collect();
            if below.len() < 2 || !self.lift(&below, wanted, shown) {
                return;
            }
            let reached = |variable: &u32| {
                wanted.binary_search(variable).is_ok_and(|at| shown[at].most >= real(self.k) - TOLERANCE)
            };
            if !below.iter().any(reached) {
                return;
            }
        }
    }

    fn lift(&mut self, below: &[u32], wanted: &[u32], shown: &mut [Shown]) -> bool {
        let (mut problem, of) = self.problem(OptimizationDirection::Maximize, &[]);
        for variable in below {
            let lifted = problem.add_var(1.0, (0.0, real(self.k)));
            problem.add_constraint([(of[variable], 1.0), (lifted, -1.0)], ComparisonOp::Ge, 0.0);
        }
        self.solve(&problem, &of, wanted, shown).is_some()
    }

    /// The most, or the least, of each column that is still open.
    fn one_by_one(
        &mut self,
        wanted: &[u32],
        shown: &mut [Shown],
        direction: OptimizationDirection,
        open: impl Fn(Shown) -> bool,
    ) {
        for (at, variable) in wanted.iter().enumerate() {
            if !open(shown[at]) {
                continue;
            }
            let (problem, of) = self.problem(direction, &[*variable]);
            let Some(end) = self.solve(&problem, &of, wanted, shown) else { continue };
            if end.is_infinite() {
                shown[at].most = end;
                continue;
            }
            let Ok(own) = self.component.variables.binary_search(variable) else { continue };
            let bounds = &mut self.answer.bounds[own];
            match direction {
                OptimizationDirection::Maximize => {
                    bounds.most = bounds.most.min(whole(end + TOLERANCE)).max(bounds.least);
                }
                OptimizationDirection::Minimize => {
                    bounds.least = bounds.least.max(whole((end - TOLERANCE).ceil())).min(bounds.most);
                }
            }
        }
    }

    /// The sums of the component, with these variables as what is to be moved.
    fn problem(&self, direction: OptimizationDirection, moved: &[u32]) -> (Problem, BTreeMap<u32, Variable>) {
        let mut problem = Problem::new(direction);
        let mut of = BTreeMap::new();
        for (variable, bounds) in self.component.variables.iter().zip(&self.answer.bounds) {
            let most = if bounds.most == Bounds::UNBOUNDED { f64::INFINITY } else { real(bounds.most) };
            let weight = if moved.contains(variable) { 1.0 } else { 0.0 };
            of.insert(*variable, problem.add_var(weight, (real(bounds.least), most)));
        }
        for sum in &self.component.sums {
            let signed = sum.parts.iter().map(|part| (*part, -1.0)).chain([(sum.whole, 1.0)]);
            let mut constant = 0.0;
            let mut terms = Vec::new();
            for (variable, sign) in signed {
                match (self.all[variable as usize].pinned(), of.get(&variable)) {
                    (_, Some(unknown)) => terms.push((*unknown, sign)),
                    (Some(devices), None) => constant -= sign * real(devices),
                    (None, None) => {}
                }
            }
            problem.add_constraint(terms, ComparisonOp::Eq, constant);
        }
        (problem, of)
    }

    /// Where the programme ends, infinity if nowhere; none if the solver gave up.
    fn solve(
        &mut self,
        problem: &Problem,
        of: &BTreeMap<u32, Variable>,
        wanted: &[u32],
        shown: &mut [Shown],
    ) -> Option<f64> {
        self.answer.programmes += 1;
        let solution: Solution = match problem.solve().map(microlp::SolveOutcome::into_solution) {
            Ok(Ok(solution)) => solution,
            Err(microlp::Error::Unbounded) => return Some(f64::INFINITY),
            _ => {
                self.answer.unsolved += 1;
                return None;
            }
        };
        for (variable, shown) in wanted.iter().zip(shown) {
            let value = solution.var_value(of[variable]);
            *shown = Shown { least: shown.least.min(value), most: shown.most.max(value) };
        }
        Some(solution.objective())
    }
}

#[expect(clippy::cast_precision_loss, reason = "devices are under 2^53")]
fn real(devices: u64) -> f64 {
    devices as f64
}

/// Rounded down; the solver's noise under 0 is 0.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "devices are under 2^53")]
fn whole(devices: f64) -> u64 {
    devices.max(0.0) as u64
}
