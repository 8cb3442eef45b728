/**
 * Runs the test files named in UNIT_TESTS, one a line, in this one process: a process for each would take three times as
 * long as the tests themselves. `scripts/test.js` chooses them.
 */
for (const file of (process.env.UNIT_TESTS ?? '').split('\n')) {
  if (file !== '') await import(new URL(`../${file}`, import.meta.url).href)
}

export {}
