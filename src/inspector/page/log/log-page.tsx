/** The log: the write activity of all of it above, everything at one moment of it below. */
import { useEffect } from 'preact/hooks'
import { usePageTitle } from '../shell/page-title.ts'
import { ActorCard } from './actor-card.tsx'
import { ActorList } from './actor-list.tsx'
import { followAddress } from './address.ts'
import { FactCard } from './fact-card.tsx'
import { Lanes } from './lanes.tsx'
import { startLoading } from './loading.ts'
import { MomentNotices } from './moment-notices.tsx'
import { Pane } from './pane.tsx'
import { Scrubber } from './scrubber.tsx'
import { Toolbar } from './toolbar.tsx'

export function LogPage() {
  usePageTitle('')
  useEffect(() => {
    const stops = [followAddress(), startLoading()]
    return () => {
      for (const stop of stops) stop()
    }
  }, [])
  return (
    <>
      <h1 class="hidden">Log</h1>
      <Toolbar />
      <MomentNotices />
      <Scrubber />
      <div class="log-parts">
        <ActorList />
        <div class="middle">
          <Lanes />
          <Pane />
        </div>
        <div class="details">
          <FactCard />
          <ActorCard />
        </div>
      </div>
    </>
  )
}
