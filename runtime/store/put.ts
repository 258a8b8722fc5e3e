/** A value to write under a key; `undefined` deletes it. */
export type Put = { readonly key: Buffer; readonly value: Buffer | undefined }

/** Keys and values, without what LevelDB adds. */
export const bytesOf = (puts: readonly Put[]): number =>
  puts.reduce((sum, { key, value }) => sum + key.length + (value?.length ?? 0), 0)
