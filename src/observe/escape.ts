/**
 * Text that came from the wire or from a file, made safe to show. A reason, a name or a header chosen by somebody else
 * must not move a cursor, recolour a terminal, forge a line of a log or hide what it says.
 */

/**
 * Controls (C0, DEL, C1), invisible format characters (zero width, bidi), lone surrogates, the separators of lines and
 * paragraphs, and whatever else Unicode lets a renderer leave out.
 */
const unsafe = /[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}\p{Default_Ignorable_Code_Point}]/u

/** Nothing in it is unsafe, and that is found quickly. */
const plain = /^[\x20-\x7e]*$/

/**
 * The text on one line, every unsafe character written as `\xNN` or `\u{NNNN}`. What is already escaped stays as it is.
 * @param maxLength of the answer, in UTF-16 units, at least 1. Longer text is cut and ends in an ellipsis; no escape and
 *   no surrogate pair is cut in two.
 */
export function escapeText(text: string, maxLength = 256): string {
  if (text.length <= maxLength && (plain.test(text) || !unsafe.test(text))) return text
  let shown = ''
  let fitting = 0
  for (const character of text) {
    shown += unsafe.test(character) ? escapeCharacter(character) : character
    if (shown.length > maxLength) return `${shown.slice(0, fitting)}…`
    if (shown.length < maxLength) fitting = shown.length
  }
  return shown
}

function escapeCharacter(character: string): string {
  const hex = (character.codePointAt(0) ?? 0).toString(16)
  return hex.length <= 2 ? `\\x${hex.padStart(2, '0')}` : `\\u{${hex.padStart(4, '0')}}`
}
