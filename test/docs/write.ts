/** `npm run docs`: writes the pages that are made from the code. Run from the project's folder. */
import { mkdirSync, writeFileSync } from 'node:fs'
import { dirname } from 'node:path'
import { madePages } from './pages.ts'

for (const [path, text] of madePages()) {
  mkdirSync(dirname(path), { recursive: true })
  writeFileSync(path, text)
  console.log(`wrote ${path}`)
}
