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
  minus: 'M4 8h8',
  plus: 'M4 8h8M8 4v8',
} as const

export const Icon = ({ name }: { readonly name: keyof typeof PATHS }) => (
  <svg class="icon" viewBox="0 0 16 16" aria-hidden="true">
    <path d={PATHS[name]} />
  </svg>
)
