//! Large digits and letters for ID and password: 3 x 5 dots, drawn as half blocks three rows high.

/// Dots of a character, rows from the top, the leftmost dot is the highest of three bits.
fn dots(character: char) -> Option<[u8; 5]> {
    Some(match character {
        '0' | 'o' => [7, 5, 5, 5, 7],
        '1' => [2, 6, 2, 2, 7],
        '2' => [7, 1, 7, 4, 7],
        '3' => [7, 1, 3, 1, 7],
        '4' => [5, 5, 7, 1, 1],
        '5' => [7, 4, 7, 1, 7],
        '6' => [7, 4, 7, 5, 7],
        '7' => [7, 1, 1, 2, 2],
        '8' => [7, 5, 7, 5, 7],
        '9' => [7, 5, 7, 1, 7],
        '-' => [0, 0, 7, 0, 0],
        ' ' => [0; 5],
        'a' => [2, 5, 7, 5, 5],
        'b' => [6, 5, 6, 5, 6],
        'c' => [3, 4, 4, 4, 3],
        'd' => [6, 5, 5, 5, 6],
        'e' => [7, 4, 6, 4, 7],
        'f' => [7, 4, 6, 4, 4],
        'g' => [3, 4, 5, 5, 3],
        'h' => [5, 5, 7, 5, 5],
        'i' => [7, 2, 2, 2, 7],
        'j' => [1, 1, 1, 5, 2],
        'k' => [5, 5, 6, 5, 5],
        'l' => [4, 4, 4, 4, 7],
        'm' => [5, 7, 7, 5, 5],
        'n' => [6, 5, 5, 5, 5],
        'p' => [6, 5, 6, 4, 4],
        'q' => [2, 5, 5, 2, 1],
        'r' => [6, 5, 6, 5, 5],
        's' => [3, 4, 2, 1, 6],
        't' => [7, 2, 2, 2, 2],
        'u' => [5, 5, 5, 5, 7],
        'v' => [5, 5, 5, 5, 2],
        'w' => [5, 5, 7, 7, 5],
        'x' => [5, 5, 2, 5, 5],
        'y' => [5, 5, 2, 2, 2],
        'z' => [7, 1, 2, 4, 7],
        _ => return None,
    })
}

/// `text` in three lines, four columns a character; `None` if a character has no large form (upper case, signs).
pub(super) fn lines(text: &str) -> Option<[String; 3]> {
    let mut lines = [const { String::new() }; 3];
    for character in text.chars() {
        let rows = dots(character)?;
        for (index, line) in lines.iter_mut().enumerate() {
            let (upper, lower) = (rows[index * 2], rows.get(index * 2 + 1).copied().unwrap_or(0));
            for bit in [4, 2, 1] {
                line.push(match (upper & bit != 0, lower & bit != 0) {
                    (true, true) => '█',
                    (true, false) => '▀',
                    (false, true) => '▄',
                    (false, false) => ' ',
                });
            }
            line.push(' ');
        }
    }
    Some(lines)
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn every_symbol_of_ids_and_passwords_has_a_form_of_its_own() {
        let symbols = "0123456789abcdefghjkmnpqrstvwxyz-";
        let forms: HashSet<[u8; 5]> = symbols.chars().map(|symbol| dots(symbol).expect("a form")).collect();
        assert_eq!(forms.len(), symbols.len());
    }

    #[test]
    fn digits_look_like_digits() {
        assert_eq!(lines("4-").expect("known"), ["█ █     ", "▀▀█ ▀▀▀ ", "  ▀     "]);
        assert!(lines("A").is_none());
    }
}
