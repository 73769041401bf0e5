/** The place in the log as an address, and back: a reload shows the same fact, filters and panes. */
import { batch, effect } from '@preact/signals'
import { addressOf, noteAddress, parameter, shownPage, visit, visitedUrl } from '../shell/router.ts'
import * as page from './state.ts'

/** Keeps the address bar and the page the same until the returned function is called. */
export function followAddress(): () => void {
  const stops = [
    effect(() => {
      void visitedUrl.value
      batch(read)
    }),
    effect(() => noteAddress(logAddress(page.following.value ? null : page.position.value))),
  ]
  return () => {
    for (const stop of stops) stop()
  }
}

/** Goes to a fact as a link does: back leads here again. */
export const visitFact = (position: number): void => visit(logAddress(position))

/** null: the end of the log, followed. */
const logAddress = (position: number | null): string =>
  addressOf(position === null ? '/log' : `/fact/${position}`, {
    actor: page.actor.value,
    type: page.type.value,
    text: page.text.value,
    show: page.pane.value === 'facts' ? '' : page.pane.value,
    file: page.file.value,
    all: page.sinceBeginning.value ? 1 : '',
    view: page.aspect.value === 'chart' ? '' : page.aspect.value,
    axis: page.axis.value === 'order' ? '' : page.axis.value,
    from: page.shownRange.value?.from ?? '',
    to: page.shownRange.value?.to ?? '',
  })

function read(): void {
  const shown = shownPage.value
  if (shown?.page !== 'log' && shown?.page !== 'fact') return
  page.following.value = shown.page === 'log'
  if (shown.page === 'fact') page.position.value = Number(shown.id)
  page.actor.value = parameter('actor')
  page.type.value = parameter('type')
  page.text.value = parameter('text')
  page.pane.value = oneOf(['facts', 'files', 'changes'], parameter('show'))
  page.file.value = parameter('file')
  page.sinceBeginning.value = parameter('all') !== ''
  page.aspect.value = oneOf(['chart', 'history', 'state'], parameter('view'))
  page.axis.value = oneOf(['order', 'time'], parameter('axis'))
  const [from, to] = [Number(parameter('from')), Number(parameter('to'))]
  page.shownRange.value = from >= 1 && to > from ? { from, to } : null
}

/** The first one, unless the text is another of them. */
function oneOf<Name extends string>(names: readonly [Name, ...Name[]], text: string): Name {
  return names.find((name) => name === text) ?? names[0]
}
