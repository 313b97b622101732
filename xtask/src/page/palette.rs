//! Colours of plots: drawn for a light page, and replaced by style sheet in the dark.

use std::fmt::Write;

use plotters::style::RGBColor;

/// A colour in the light and in the dark.
#[derive(Clone, Copy)]
pub struct Colour {
    light: RGBColor,
    dark: RGBColor,
}

/// Text and axes.
pub const INK: Colour = Colour { light: RGBColor(0x1f, 0x23, 0x28), dark: RGBColor(0xe6, 0xed, 0xf3) };
/// Lines of the grid.
pub const GRID: Colour = Colour { light: RGBColor(0xd1, 0xd9, 0xe0), dark: RGBColor(0x3d, 0x44, 0x4d) };

/// Series and parts, told apart by people who see few colours as well (after Okabe and Ito).
const SERIES: [Colour; 8] = [
    Colour { light: RGBColor(0x00, 0x72, 0xb2), dark: RGBColor(0x58, 0xa6, 0xff) },
    Colour { light: RGBColor(0xc4, 0x4e, 0x00), dark: RGBColor(0xff, 0x8c, 0x42) },
    Colour { light: RGBColor(0x00, 0x7f, 0x5f), dark: RGBColor(0x2f, 0xd0, 0x9f) },
    Colour { light: RGBColor(0xa8, 0x4b, 0x86), dark: RGBColor(0xf0, 0x9c, 0xce) },
    Colour { light: RGBColor(0x9a, 0x6b, 0x00), dark: RGBColor(0xe8, 0xb9, 0x23) },
    Colour { light: RGBColor(0x56, 0x9d, 0xd2), dark: RGBColor(0x9c, 0xdc, 0xfe) },
    Colour { light: RGBColor(0x6b, 0x47, 0xa8), dark: RGBColor(0xb9, 0x9b, 0xff) },
    Colour { light: RGBColor(0x60, 0x66, 0x6d), dark: RGBColor(0xa0, 0xa8, 0xb0) },
];

/// The colour of a series, over and over again where there are many.
pub fn series(number: usize) -> Colour {
    SERIES[number % SERIES.len()]
}

impl Colour {
    /// As it is drawn.
    pub const fn drawn(self) -> RGBColor {
        self.light
    }
}

/// Rules that make what was drawn in light colours dark.
pub fn dark_rules() -> String {
    let mut rules = String::new();
    for Colour { light, dark } in [INK, GRID].into_iter().chain(SERIES) {
        let (light, dark) = (hex(light), hex(dark));
        let _ = write!(rules, "svg [fill=\"{light}\"]{{fill:{dark}}}svg [stroke=\"{light}\"]{{stroke:{dark}}}");
    }
    rules
}

/// As the library writes it into the SVG.
fn hex(RGBColor(red, green, blue): RGBColor) -> String {
    format!("#{red:02X}{green:02X}{blue:02X}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_two_colours_are_drawn_alike() {
        let drawn: std::collections::HashSet<_> =
            [INK, GRID].iter().chain(&SERIES).map(|colour| hex(colour.light)).collect();
        assert_eq!(drawn.len(), SERIES.len() + 2);
    }
}
