/** The page: the write activity of the whole log above, everything at one moment below. */
import { ActorCard } from './actor-card.tsx'
import { ActorList } from './actor-list.tsx'
import { FactCard } from './fact-card.tsx'
import { Help } from './help.tsx'
import { Lanes } from './lanes.tsx'
import { Pane } from './pane.tsx'
import { Scrubber } from './scrubber.tsx'
import { Notices, TopBar } from './top-bar.tsx'

export function App() {
  return (
    <div class="page">
      <TopBar />
      <Notices />
      <Scrubber />
      <main>
        <ActorList />
        <div class="middle">
          <Lanes />
          <Pane />
        </div>
        <div class="details">
          <FactCard />
          <ActorCard />
        </div>
      </main>
      <Help />
    </div>
  )
}
