/** The page that the sample service shows: where it comes from, and what the demo has done so far. */

/** Rows of a label and a sentence, in the order they are told. */
export type Story = readonly (readonly [label: string, sentence: string])[]

/** @throws TypeError when `value` is anything else than a story */
export function storyFromJson(value: unknown): Story {
  if (!Array.isArray(value)) throw new TypeError('a story is a list')
  return value.map((row: unknown) => {
    if (!Array.isArray(row)) throw new TypeError('a row of a story is a list')
    const [label, sentence]: unknown[] = row
    if (typeof label !== 'string' || typeof sentence !== 'string') throw new TypeError('a row holds two texts')
    return [label, sentence] as const
  })
}

/** The whole page, with nothing to load beside it. */
export function page(story: Story): string {
  const rows = story.map(([label, sentence]) => `<dt>${escapeHtml(label)}<dd>${escapeHtml(sentence)}\n`).join('')
  return `<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>Through the tunnel</title>
<style>${style}</style>
<h1>This page came through a tunnel.</h1>
<p class="way">you <i>→</i> tunnelctl connect <i>→</i> gateway <i>→</i> agent <i>→</i> <b>this service</b></p>
<p>Nothing here listens for the outside but the gateway: connect and the agent both dial out to it. In a cluster, the
agent would run as a pod, and this service would be one of yours.</p>
${rows === '' ? '<p>The demo is at work. Load this page again in a moment.</p>' : `<h2>What just happened</h2>\n<dl>\n${rows}</dl>`}
</html>
`
}

const style = `
:root { color-scheme: light dark; font: 17px/1.6 system-ui, sans-serif }
body { max-width: 40rem; margin: 12vh auto; padding: 0 1.5rem }
h1 { font-size: 1.7rem; line-height: 1.25 }
h2 { font-size: 1.1rem; margin-top: 2.5rem }
.way { font: 0.9rem/1.8 ui-monospace, monospace; color: #0a7d6c }
.way i { font-style: normal; opacity: 0.5 }
dl { display: grid; grid-template-columns: max-content 1fr; gap: 0.4rem 1.5rem }
dt { opacity: 0.6 }
dd { margin: 0 }
`

const escapeHtml = (text: string): string => text.replace(/[&<>"']/g, character => `&#${character.charCodeAt(0)};`)
