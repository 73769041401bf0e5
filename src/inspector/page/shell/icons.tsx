/** The icons of the page. */
const PATHS = {
  first: 'M4 4v8M12 4l-6 4 6 4z',
  previous: 'M10.5 4l-5 4 5 4',
  next: 'M5.5 4l5 4-5 4',
  last: 'M12 4v8M4 4l6 4-6 4z',
  problem: 'M8 2.5l6 10.5H2zM8 6.5v3M8 11.2v.1',
  sun: 'M8 5.2a2.8 2.8 0 100 5.6 2.8 2.8 0 000-5.6zM8 1.5v1M8 13.5v1M1.5 8h1M13.5 8h1M3.4 3.4l.7.7M11.9 11.9l.7.7M3.4 12.6l.7-.7M11.9 4.1l.7-.7',
  moon: 'M13 9.5A5.5 5.5 0 016.5 3 5.5 5.5 0 1013 9.5z',
  system: 'M2.5 3.5h11v7h-11zM6 13h4M8 10.5V13',
  help: 'M6 6.2a2 2 0 113 1.7c-.7.4-1 .8-1 1.6M8 11.8v.1',
  search: 'M7 3a4 4 0 100 8 4 4 0 000-8zM10 10l3.2 3.2',
  home: 'M2.5 7.5L8 3l5.5 4.5V13h-3.6V9.6H6.1V13H2.5z',
  inbox: 'M2.5 9.5l2-6h7l2 6V13h-11zM2.5 9.5h3l1 1.6h3l1-1.6h3',
  run: 'M3 3h3v3H3zM10 6.5h3v3h-3zM3 10h3v3H3zM6 4.5h2.2v3.5H10M6 11.5h2.2V8',
  agent: 'M8 2.5a2.7 2.7 0 100 5.4 2.7 2.7 0 000-5.4zM3 13.5c.4-2.6 2.4-3.9 5-3.9s4.6 1.3 5 3.9',
  log: 'M2.5 4h11M2.5 8h7M2.5 12h9M11.5 6.5v3',
  copy: 'M5.5 5.5h7v7h-7zM3.5 10.5v-7h7',
  fork: 'M4 2.5v11M4 9c5 0 8-1 8-5M12 2.2v.1',
  files: 'M3.5 2.5h5l4 4v7h-9zM8.5 2.5v4h4',
  minus: 'M4 8h8',
  plus: 'M4 8h8M8 4v8',
} as const

export const Icon = ({ name }: { readonly name: keyof typeof PATHS }) => (
  <svg class="icon" viewBox="0 0 16 16" aria-hidden="true">
    <path d={PATHS[name]} />
  </svg>
)
