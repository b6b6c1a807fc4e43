//! From logits to the most probable classes.

/// A class and its probability.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Guess {
    /// Index of the class.
    pub class: usize,
    /// From 0 to 1.
    pub probability: f64,
}

/// The `count` most probable classes, the most probable first; equals in the order of their index. A logit that
/// is not a number has probability 0.
pub fn top(logits: &[f32], count: usize) -> Vec<Guess> {
    let greatest = logits.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    // Shifted by the greatest, so that no power overflows.
    let power = |logit: f32| if logit.is_nan() { 0.0 } else { f64::from(logit - greatest).exp() };
    let sum: f64 = logits.iter().copied().map(power).sum();
    let mut guesses: Vec<Guess> = logits
        .iter()
        .enumerate()
        .map(|(class, &logit)| Guess { class, probability: power(logit) / sum })
        .collect();
    guesses.sort_by(|a, b| b.probability.total_cmp(&a.probability).then(a.class.cmp(&b.class)));
    guesses.truncate(count);
    guesses
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn probabilities_are_a_softmax_in_order() {
        let guesses = top(&[0.0, 2.0, 1.0], 2);
        let sum = 1.0 + 1_f64.exp() + 2_f64.exp();
        assert_eq!([guesses[0].class, guesses[1].class], [1, 2]);
        assert!((guesses[0].probability - 2_f64.exp() / sum).abs() < 1e-12);
        assert!((guesses[1].probability - 1_f64.exp() / sum).abs() < 1e-12);
    }

    #[test]
    fn large_logits_do_not_overflow() {
        let guesses = top(&[10_000.0, 9_999.0, -10_000.0], 3);
        assert!((guesses.iter().map(|guess| guess.probability).sum::<f64>() - 1.0).abs() < 1e-12);
        assert_eq!(guesses[2].probability, 0.0);
    }

    #[test]
    fn equals_keep_their_order_and_nan_comes_last() {
        let classes: Vec<usize> = top(&[f32::NAN, 1.0, 1.0], 9).iter().map(|guess| guess.class).collect();
        assert_eq!(classes, [1, 2, 0]);
    }
}
