/** A value to write under a key; `undefined` deletes it. */
export type Put = { readonly key: Buffer; readonly value: Buffer | undefined }
