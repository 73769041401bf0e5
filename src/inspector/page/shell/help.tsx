/** The help: a dialog with the keyboard shortcuts. */
import { useEffect, useRef } from 'preact/hooks'
import { INBOX_SHORTCUTS, LOG_SHORTCUTS, SHORTCUTS, type Shortcut } from './keyboard.ts'
import { helpOpen } from './state.ts'

export function Help() {
  const dialog = useRef<HTMLDialogElement>(null)
  const open = helpOpen.value
  useEffect(() => {
    if (open && !dialog.current?.open) {
      dialog.current?.showModal()
      // The focus is on the button below: the keys are read from the top.
      dialog.current?.scrollTo(0, 0)
    }
    if (!open) dialog.current?.close()
  }, [open])
  return (
    <dialog
      ref={dialog}
      aria-labelledby="help-title"
      onClose={() => {
        helpOpen.value = false
      }}
    >
      <h2 id="help-title">Keyboard shortcuts</h2>
      <div class="columns">
        <Keys title="On every page" keys={SHORTCUTS} />
        <Keys title="In the inbox" keys={INBOX_SHORTCUTS} />
        <Keys title="On the log" keys={LOG_SHORTCUTS} />
      </div>
      <p>On the log, drag the slider or the timeline to move through the log. Ctrl and the wheel zoom.</p>
      <button
        type="button"
        class="quiet"
        onClick={() => {
          helpOpen.value = false
        }}
      >
        Close
      </button>
    </dialog>
  )
}

function Keys({ title, keys }: { readonly title: string; readonly keys: readonly Shortcut[] }) {
  return (
    <table>
      <caption>{title}</caption>
      <tbody>
        {keys.map(({ shown, does }) => (
          <tr key={shown}>
            <th scope="row">
              <kbd>{shown}</kbd>
            </th>
            <td>{does}</td>
          </tr>
        ))}
      </tbody>
    </table>
  )
}
