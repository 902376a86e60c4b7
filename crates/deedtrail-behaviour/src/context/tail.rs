//! Upper tail of the Gamma–Poisson (negative binomial) distribution.

/// Smallest probability told.
const P_MIN: f64 = 1e-12;
/// Larger values are as rare as this one.
const VALUE_MAX: f64 = 1e9;
/// Terms of the continued fraction; it converges long before.
const TERMS_MAX: u32 = 200;
const PRECISION: f64 = 1e-10;
const TINY: f64 = 1e-300;

/// Chance of at least `value` in one window, when `windows` of them had this mean and variance.
///
/// Mean and spread are widened by what so few windows leave open.
pub(super) fn gamma_poisson(value: f64, mean: f64, variance: f64, windows: f64) -> f64 {
    let mean = mean + (variance.max(mean).max(1.0) / windows.max(1.0)).sqrt();
    let variance = variance.max(1.5 * mean);
    let size = mean * mean / (variance - mean);
    let share = mean / (size + mean);
    incomplete_beta(share, value.clamp(1.0, VALUE_MAX), size).clamp(P_MIN, 1.0)
}

/// Regularised incomplete beta function (Numerical Recipes, 6.4; continued fraction by Lentz).
fn incomplete_beta(x: f64, a: f64, b: f64) -> f64 {
    let front =
        (ln_gamma(a + b) - ln_gamma(a) - ln_gamma(b) + a * x.ln() + b * (1.0 - x).ln()).exp();
    if x < (a + 1.0) / (a + b + 2.0) {
        front * fraction(x, a, b) / a
    } else {
        1.0 - front * fraction(1.0 - x, b, a) / b
    }
}

fn fraction(x: f64, a: f64, b: f64) -> f64 {
    let away_from_zero = |value: f64| if value.abs() < TINY { TINY } else { value };
    let mut above = 1.0;
    let mut below = 1.0 / away_from_zero(1.0 - (a + b) * x / (a + 1.0));
    let mut result = below;
    for term in 1..=TERMS_MAX {
        let m = f64::from(term);
        let even = m * (b - m) * x / ((a + 2.0 * m - 1.0) * (a + 2.0 * m));
        let odd = -(a + m) * (a + b + m) * x / ((a + 2.0 * m) * (a + 2.0 * m + 1.0));
        let mut change = 1.0;
        for factor in [even, odd] {
            below = 1.0 / away_from_zero(1.0 + factor * below);
            above = away_from_zero(1.0 + factor / above);
            change = below * above;
            result *= change;
        }
        if (change - 1.0).abs() < PRECISION {
            break;
        }
    }
    result
}

/// Natural logarithm of the gamma function (Lanczos).
fn ln_gamma(x: f64) -> f64 {
    const FACTORS: [f64; 6] = [
        76.180_091_729_471_46,
        -86.505_320_329_416_77,
        24.014_098_240_830_91,
        -1.231_739_572_450_155,
        0.001_208_650_973_866_179,
        -0.000_005_395_239_384_953,
    ];
    let mut series = 1.000_000_000_190_015;
    for (place, factor) in FACTORS.iter().enumerate() {
        series += factor / (x + 1.0 + place as f64);
    }
    let shifted = x + 5.5;
    (x + 0.5) * shifted.ln() - shifted + (2.506_628_274_631_000_5 * series / x).ln()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The tail as one minus the sum of its other terms.
    fn summed(value: u32, mean: f64, variance: f64) -> f64 {
        let size = mean * mean / (variance - mean);
        let share = size / (size + mean);
        let mut p = share.powf(size);
        let mut below = 0.0;
        for k in 0..value {
            below += p;
            p *= (f64::from(k) + size) / f64::from(k + 1) * (1.0 - share);
        }
        1.0 - below
    }

    #[test]
    fn tail_is_the_rest_of_the_sum() {
        for (value, mean, variance) in [(3, 1.0, 2.0), (10, 4.0, 9.0), (40, 20.0, 60.0)] {
            let windows = 1e18;
            let p = gamma_poisson(f64::from(value), mean, variance, windows);
            let expected = summed(value, mean, variance);
            assert!((p - expected).abs() < 1e-6, "{value}: {p} {expected}");
        }
    }

    #[test]
    fn more_is_never_likelier_and_extremes_are_finite() {
        let mut last = 1.0;
        for value in [1.0, 2.0, 5.0, 50.0, 1e4, 1e12, f64::MAX] {
            let p = gamma_poisson(value, 2.0, 5.0, 30.0);
            assert!(p <= last && p > 0.0, "{value}: {p}");
            last = p;
        }
        assert!(gamma_poisson(5.0, 0.0, 0.0, 20.0).is_finite());
    }
}
