/** `holdfast version`. */
import { Command } from 'commander'
import { programVersion } from '../version.ts'

export function versionCommand(): Command {
  return new Command('version')
    .description('print the version of this program and of what runs it')
    .option('--json', 'print JSON')
    .addHelpText('after', '\nExample:\n  $ holdfast version')
    .action(({ json }: { json?: boolean }) => {
      const versions = {
        holdfast: programVersion(),
        node: process.versions.node,
        platform: `${process.platform}-${process.arch}`,
      }
      const text = `holdfast ${versions.holdfast} (Node ${versions.node}, ${versions.platform})`
      process.stdout.write(`${json ? JSON.stringify(versions) : text}\n`)
    })
}
