/** The buttons of what can be done. Each opens its form. */
import { useEffect, useState } from 'preact/hooks'
import type { OfferView } from '../../acts/view.ts'
import { ask } from '../shell/ask.ts'
import { head } from '../shell/state.ts'
import { openOffer, timesDone } from './form.ts'

export function Offers({ offers }: { readonly offers: readonly OfferView[] }) {
  if (offers.length === 0) return null
  return (
    <div class="offers">
      {offers.map((offer) => (
        <button
          type="button"
          key={`${offer.action} ${JSON.stringify(offer.about)}`}
          class={`offer ${offer.effect}`}
          data-key={offer.key}
          onClick={() => openOffer(offer)}
        >
          {offer.label}
        </button>
      ))}
    </div>
  )
}

/** The shortest time between two looks at an actor of a growing log. */
const LOOK_AGAIN_MS = 400

/** What can be done about an agent or a run as it is now. */
export function ActorOffers({ stream }: { readonly stream: string }) {
  const [offers, setOffers] = useState<readonly OfferView[]>([])
  const position = head.value
  const times = timesDone.value
  useEffect(() => {
    const gone = new AbortController()
    const look = setTimeout(
      async () => {
        const told = await ask('offers', { actor: stream }, gone.signal).catch(() => null)
        if (told && !gone.signal.aborted) setOffers(told.offers)
      },
      position === 0 ? 0 : LOOK_AGAIN_MS,
    )
    return () => {
      clearTimeout(look)
      gone.abort()
    }
  }, [stream, position, times])
  return <Offers offers={offers} />
}
