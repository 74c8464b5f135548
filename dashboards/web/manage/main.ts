import { createApp } from 'vue'
import '../shared/base.css'
import { startLanguage } from '../shared/i18n'
import { startSession } from '../shared/session'
import App from './App.vue'
import './manage.css'

await startLanguage()
createApp(App).mount('#app')
void startSession()
