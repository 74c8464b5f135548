/** Sheets of labels that can be printed on, as trace/label names them, plain paper first. */
export const stocks = [
  { name: 'plain', perSheet: 21 },
  { name: '63.5x38.1', perSheet: 21 },
  { name: '63.5x33.9', perSheet: 24 },
  { name: '70x37', perSheet: 24 },
  { name: '99.1x38.1', perSheet: 14 },
  { name: '99.1x57', perSheet: 10 },
] as const
