/** The buttons of what can be done. Each opens its form. */
import type { OfferView } from '../../acts/view.ts'
import { useLiveAnswer } from '../shell/answers.ts'
import { openOffer } from './form.ts'

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

/** What can be done about an agent or a run as it is now. */
export function ActorOffers({ stream }: { readonly stream: string }) {
  const { answer } = useLiveAnswer('offers', { actor: stream })
  return <Offers offers={answer?.offers ?? []} />
}
