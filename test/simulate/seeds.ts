/** Seeds that once failed, and what each of them found. They run with every test. */
export const seedsThatFailed: readonly (readonly [seed: number, found: string])[] = [
  [17, 'a receiver kept the head of an old epoch, and said for ever that entries were behind'],
  [54, 'the same, after the database of a gateway was set back to an older copy'],
  [1139, 'a receiver was told of entries that were none for it, and called itself behind them for ever'],
  [1152, 'the same, of a table that goes both ways'],
  [
    1150,
    'an older copy that was started twice before it met the hub took what the hub had for what it has, and lost it',
  ],
  [87, 'a transaction had used up the tokens of a minute, and what waited for them called itself moving'],
]
